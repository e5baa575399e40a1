/**
 * The PROXY header that a backend's connection begins with: whom it is made
 * for. Version 2 says with it the id that we give the request or connection,
 * and ends with a checksum.
 */
import type { ProxyEnds } from '../../net/proxy-header.ts';
import { buildProxyHeader, type ProxyExtras, type ProxyVersion } from '../../net/proxy-protocol.ts';
import type { Exchange } from '../exchange.ts';
import type { ClientHello } from '../parse/client-hello.ts';

/** What is known of a tcp connection. */
export interface GreetedSession {
  readonly ends: ProxyEnds | null;
  /** null: not read. */
  readonly hello: ClientHello | null;
  /** Of a PROXY header in front of it. */
  readonly extras: ProxyExtras;
}

/**
 * For one request: its client is the one that X-Forwarded-For names, if a
 * trusted proxy wrote that, and then its port is not known. The id is the
 * request's.
 */
export function requestGreeting(version: ProxyVersion, x: Exchange): Buffer {
  const ends = x.client.ends();
  if (ends === null) return buildProxyHeader(version, null);
  const from = x.clientAddress === x.peerAddress ? ends : { ...ends, sourceAddress: x.clientAddress, sourcePort: 0 };
  return buildProxyHeader(version, from, { ...(x.requestId === '' ? {} : { uniqueId: Buffer.from(x.requestId, 'latin1') }), hasChecksum: true });
}

/**
 * For a tcp connection. What a PROXY header in front of it said is said again;
 * what its ClientHello says, if that was read, counts more. The protocol is
 * named only where one alone was offered: of several the backend chooses.
 */
export function sessionGreeting(version: ProxyVersion, session: GreetedSession, uniqueId: Uint8Array | null): Buffer {
  const { ends, hello, extras } = session;
  if (ends === null || uniqueId === null) return buildProxyHeader(version, ends);
  const authority = hello !== null && hello.serverName !== '' ? { authority: hello.serverName } : {};
  const alpn = hello?.protocols.length === 1 ? { alpn: hello.protocols[0]! } : {};
  return buildProxyHeader(version, ends, { ...extras, uniqueId, ...authority, ...alpn, hasChecksum: true });
}
