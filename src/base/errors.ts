/**
 * Every way an exchange can fail, as data. The data plane returns these codes;
 * it throws only for a bug. `docs/errors.md` describes each one, and a test
 * holds that page against this table both ways.
 */

/** Whose doing a failure is: what an operator looks at first. */
export type ErrorSide = 'client' | 'backend' | 'self';

export interface ErrorSpec {
  readonly side: ErrorSide;
  /** Status of our own reply; 0: none can be sent, the connection is closed or reset. */
  readonly status: number;
  /**
   * When the request may be sent again, to another backend if there is one:
   * `connect`: always, no byte of it was sent, or none was looked at; `idempotent`: a GET, HEAD or
   * OPTIONS without body that lost its connection before any byte of answer;
   * `no`: never.
   */
  readonly retry: 'connect' | 'idempotent' | 'no';
  /** Shown in our own reply: what happened, for someone who has never seen this program. */
  readonly text: string;
}

const specs = {
  // The client's doing.
  'bad-request': { side: 'client', status: 400, retry: 'no', text: 'The request is malformed.' },
  'plain-request': { side: 'client', status: 400, retry: 'no', text: 'This port speaks HTTPS, and the request came in plain HTTP. Ask for it with https:// in place of http://.' },
  'ambiguous-path': { side: 'client', status: 400, retry: 'no', text: 'The path reads as two different routes.' },
  'request-timeout': { side: 'client', status: 408, retry: 'no', text: 'The request took too long to arrive.' },
  'body-too-large': { side: 'client', status: 413, retry: 'no', text: 'The request body is larger than allowed.' },
  'target-too-long': { side: 'client', status: 414, retry: 'no', text: 'The request target is longer than allowed.' },
  'misdirected-request': { side: 'client', status: 421, retry: 'no', text: 'The certificate of this connection is for another host than the request. Ask over a connection of its own.' },
  'rate-limited': { side: 'client', status: 429, retry: 'no', text: 'More requests came than this route allows. Retry-After says when to try again.' },
  'head-too-large': { side: 'client', status: 431, retry: 'no', text: 'The request header is larger than allowed.' },
  'not-implemented': { side: 'client', status: 501, retry: 'no', text: 'This method or coding is not implemented.' },
  'version-unsupported': { side: 'client', status: 505, retry: 'no', text: 'This HTTP version is not supported.' },
  'client-aborted': { side: 'client', status: 0, retry: 'no', text: 'The client closed the connection before the answer was complete.' },
  'client-stalled': { side: 'client', status: 0, retry: 'no', text: 'The client took no bytes of the answer for too long.' },
  'proxy-header-refused': { side: 'client', status: 0, retry: 'no', text: 'The PROXY header in front of the connection was missing, malformed or not believed.' },
  'client-hello-refused': { side: 'client', status: 0, retry: 'no', text: 'The connection did not begin with a TLS ClientHello that can be read.' },
  'http2-refused': { side: 'client', status: 0, retry: 'no', text: 'The HTTP/2 connection was closed, for its client broke a rule of the protocol or went beyond a bound.' },
  'idle-timeout': { side: 'client', status: 0, retry: 'no', text: 'The connection was silent for too long.' },
  // A backend's doing.
  'connect-refused': { side: 'backend', status: 503, retry: 'connect', text: 'The backend refused the connection.' },
  'connect-timeout': { side: 'backend', status: 503, retry: 'connect', text: 'The backend did not accept the connection in time.' },
  'connect-failed': { side: 'backend', status: 503, retry: 'connect', text: 'The backend could not be reached.' },
  'stream-refused': { side: 'backend', status: 503, retry: 'connect', text: 'The backend did not take the request.' },
  'websocket-unsupported': { side: 'backend', status: 501, retry: 'no', text: 'The backend speaks HTTP/2 and takes no WebSocket over it.' },
  'backend-tls-failed': { side: 'backend', status: 502, retry: 'connect', text: 'The backend could not be spoken to in TLS, or its certificate was refused.' },
  'connection-lost': { side: 'backend', status: 502, retry: 'idempotent', text: 'The backend closed the connection before it answered.' },
  'response-timeout': { side: 'backend', status: 504, retry: 'no', text: 'The backend did not answer in time.' },
  'response-malformed': { side: 'backend', status: 502, retry: 'no', text: 'The answer of the backend is malformed.' },
  'response-head-too-large': { side: 'backend', status: 502, retry: 'no', text: 'The header of the answer is larger than allowed.' },
  'response-incomplete': { side: 'backend', status: 0, retry: 'no', text: 'The backend closed the connection in the middle of its answer.' },
  'response-stalled': { side: 'backend', status: 0, retry: 'no', text: 'The backend fell silent in the middle of its answer.' },
  'backend-gone': { side: 'backend', status: 0, retry: 'no', text: 'The backend went down or left the config, and its connections were cut.' },
  // Ours, or the configuration's.
  'no-route': { side: 'self', status: 404, retry: 'no', text: 'No route matches this request.' },
  'no-backend': { side: 'self', status: 503, retry: 'no', text: 'No backend is available.' },
  evicted: { side: 'self', status: 0, retry: 'no', text: 'All places were taken, and this session gave up its own to a newcomer.' },
  'total-timeout': { side: 'self', status: 504, retry: 'no', text: 'The exchange took longer than the route allows.' },
  'shutting-down': { side: 'self', status: 503, retry: 'no', text: 'This proxy is shutting down.' },
  internal: { side: 'self', status: 502, retry: 'no', text: 'The proxy failed to handle this request.' },
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof specs;

export const errorSpecs: Readonly<Record<ErrorCode, ErrorSpec>> = specs;

/** Codes in a fixed order: their index is their column in the counter pages. */
export const errorCodes = Object.keys(specs) as readonly ErrorCode[];

/** Column of each code in `errorCodes`. */
export const errorIndex = Object.fromEntries(errorCodes.map((code, index) => [code, index])) as Readonly<Record<ErrorCode, number>>;
