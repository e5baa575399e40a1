/**
 * The PROXY header that a backend's connection begins with: whom it is made
 * for. Version 2 says with it the id that we give the request or connection,
 * and ends with a checksum.
 */
import { buildProxyHeader, type ProxyVersion } from '../../net/proxy-protocol.ts';
import type { Exchange } from '../exchange.ts';

/**
 * For one request: its client is the one that X-Forwarded-For names, if a
 * trusted proxy wrote that, and then its port is not known. The id is the
 * request's.
 */
export function requestGreeting(version: ProxyVersion, x: Exchange): Buffer {
  const ends = x.client.ends();
  if (ends === null) return buildProxyHeader(version, null);
  const from = x.clientAddress === x.peerAddress ? ends : { ...ends, sourceAddress: x.clientAddress, sourcePort: 0 };
  return buildProxyHeader(version, from, { uniqueId: Buffer.from(x.requestId, 'latin1'), hasChecksum: true });
}
