/**
 * What routing may ask of a request, each answer made only when asked for.
 * The parsed request head implements it; so does `weir explain`.
 */
export interface RouteQuery {
  /** As sent; case counts. */
  readonly method: string;
  /** Host without port and final dot, in lower case; '' if the request has none. Of a tcp connection the name its ClientHello asks for. */
  host(): string;
  /** Path as sent, without query; "*" for the asterisk form. */
  path(): string;
  /** False: the path holds no percent sign, backslash, semicolon, empty or dot segment, so its readings are the same. */
  readonly pathMayReadTwoWays: boolean;
  /** Without the question mark; '' if there is none. */
  query(): string;
  /** Every value of the field, in order; `name` is lower case. */
  header(name: string): readonly string[];
  /** The rightmost untrusted address (literal IP). */
  clientAddress(): string;
  /** What a ClientHello offers by ALPN; absent where there is none to be read. */
  protocols?(): readonly string[];
}

/** Index of the route in the listener's list, or one of these. */
export const NO_ROUTE = -1;
/** Two readings of the path lead to different routes: answered with 400. */
export const AMBIGUOUS_PATH = -2;

export interface RouteTable {
  find(query: RouteQuery): number;
}
