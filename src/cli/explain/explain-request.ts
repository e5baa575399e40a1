/** The request that `weir explain` is asked about: a URL and flags, as routing sees a request. */
import { formatAddress, parseAddress, type AddressSet } from '../../net/address.ts';
import { clientAddress } from '../../net/client-address.ts';
import { mayReadTwoWays } from '../../data-plane/route/path-readings.ts';
import type { RouteQuery } from '../../data-plane/route/route-query.ts';

export interface RequestFlags {
  readonly method?: string | undefined;
  /** `name: value` each, as for curl. */
  readonly header?: readonly string[] | undefined;
  /** Address of the peer that connects; absent: 127.0.0.1. */
  readonly from?: string | undefined;
}

export interface AskedRequest {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** Host header as it would be sent: with the port if the URL names one; '' if there is none. */
  readonly hostAsSent: string;
  /** Where the URL leads; null for a bare path. */
  readonly port: number | null;
  /** Bytes as they would be sent: what a request line cannot hold is percent-encoded, nothing is resolved. */
  readonly path: string;
  readonly query: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly peer: string;
}

/** A wrong use of the command: exit 2. */
export class UsageError extends Error {}

/** Throws UsageError. Not by `new URL`, which resolves dot segments: what is asked about must stay as written. */
export function askedRequest(url: string, flags: RequestFlags): AskedRequest {
  if (/^(tcp|tls|udp):/i.test(url)) throw new UsageError(`${url}: only requests of http listeners are explained; a connection's route is in the access log`);
  const parts = /^(?:(https?):\/\/([^/?#\\]+))?(\/[^?#]*|\*)?(?:\?([^#]*))?(?:#.*)?$/is.exec(url);
  if (parts === null || (parts[2] === undefined && parts[3] === undefined)) throw new UsageError(`"${url}" is no URL such as http://a.example.com/v1, and no path such as /v1`);
  const scheme = parts[1]?.toLowerCase() === 'https' ? 'https' : 'http';
  const authority = parts[2] ?? '';
  if (authority.includes('@')) throw new UsageError('the URL names a user: a request line has no place for one');
  const headers = (flags.header ?? []).map(parseHeader);
  const path = sendable(parts[3] ?? '/');
  return {
    method: flags.method ?? (path === '*' ? 'OPTIONS' : 'GET'),
    scheme,
    hostAsSent: headers.find(([name]) => name === 'host')?.[1] ?? authority,
    port: authority === '' ? null : portOf(authority, scheme),
    path,
    query: sendable(parts[4] ?? ''),
    headers: headers.some(([name]) => name === 'host') || authority === '' ? headers : [['host', authority], ...headers],
    peer: parsePeer(flags.from ?? '127.0.0.1'),
  };
}

/** The request as one listener's routes see it; who the client is depends on whom the listener trusts. */
export function routeQueryOf(asked: AskedRequest, trusted: AddressSet): RouteQuery {
  const header = (name: string): readonly string[] => asked.headers.filter(([key]) => key === name).map(([, value]) => value);
  return {
    method: asked.method,
    pathMayReadTwoWays: mayReadTwoWays(asked.path),
    host: () => asked.hostAsSent.toLowerCase().replace(/:[0-9]*$/, '').replace(/\.$/, ''),
    path: () => asked.path,
    query: () => asked.query,
    header,
    clientAddress: () => clientAddress(asked.peer, trusted, header('x-forwarded-for')),
  };
}

function sendable(text: string): string {
  return text.toWellFormed().replace(/[^\x21-\x7e]/gu, (character) => encodeURIComponent(character));
}

function portOf(authority: string, scheme: 'http' | 'https'): number {
  const written = /:([0-9]+)$/.exec(authority);
  if (written !== null) return Number(written[1]);
  return scheme === 'http' ? 80 : 443;
}

/** Values as a parser hands them on: bytes, one character each. */
function parseHeader(line: string): [name: string, value: string] {
  const parts = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):(.*)$/s.exec(line);
  if (parts === null || /[\r\n\0]/.test(line)) throw new UsageError(`"${line}" is no header such as "x-user: 7"`);
  return [parts[1]!.toLowerCase(), Buffer.from(parts[2]!.trim(), 'utf8').toString('latin1')];
}

function parsePeer(text: string): string {
  const bytes = parseAddress(text);
  if (bytes === null) throw new UsageError(`--from ${text} is no IP address`);
  return formatAddress(bytes);
}
