/**
 * Who the client is when proxies stand in front: the rightmost address that no
 * trusted proxy vouches for. Each proxy appends the address it saw, so the
 * list is believed from the right, and only as far as trusted proxies wrote it;
 * what a client put there itself lies further left and is never reached.
 */
import { parseAddress, formatAddress, parseIpv4, plainAddress, type AddressSet } from './address.ts';

/**
 * The client's literal address. `forwardedFor`: the values of X-Forwarded-For
 * in the order they came, each a comma-separated list. An entry may carry a
 * port (`192.0.2.1:4711`, `[2001:db8::1]:4711`), which is dropped; an empty one
 * is skipped (RFC 9110 §5.6.1.2). One that is no address ends the walk: the
 * answer is then the proxy that wrote it, the last address known to be true.
 * If all are trusted the answer is the leftmost.
 */
export function clientAddress(peer: string, trusted: AddressSet, forwardedFor: readonly string[]): string {
  const plainPeer = plainAddress(peer);
  if (trusted.isEmpty || forwardedFor.length === 0 || !trusted.has(plainPeer)) return plainPeer;
  return forwardedClient(plainPeer, trusted, forwardedFor);
}

/** The same for a peer already known to be trusted (known once per connection, not per request). */
export function forwardedClient(plainPeer: string, trusted: AddressSet, forwardedFor: readonly string[]): string {
  let client = plainPeer;
  for (let i = forwardedFor.length - 1; i >= 0; i--) {
    const value = forwardedFor[i]!;
    let end = value.length;
    while (end >= 0) {
      const comma = end === 0 ? -1 : value.lastIndexOf(',', end - 1);
      const entry = value.slice(comma + 1, end).trim();
      end = comma;
      if (entry === '') continue;
      const address = entryAddress(entry);
      if (address === null) return client;
      client = address;
      if (!trusted.has(address)) return client;
    }
  }
  return client;
}

/** The address of one X-Forwarded-For entry, as text in one spelling; null if it has none. */
function entryAddress(entry: string): string | null {
  if (parseIpv4(entry) !== -1) return entry;
  let text = entry;
  if (entry.startsWith('[')) {
    const close = entry.indexOf(']');
    if (close === -1 || !/^(:[0-9]{1,5})?$/.test(entry.slice(close + 1))) return null;
    text = entry.slice(1, close);
    if (!text.includes(':')) return null;
  } else {
    const colon = entry.indexOf(':');
    if (colon !== -1 && colon === entry.lastIndexOf(':')) {
      if (!/^[0-9]{1,5}$/.test(entry.slice(colon + 1))) return null;
      text = entry.slice(0, colon);
    }
  }
  const bytes = parseAddress(text);
  return bytes === null ? null : formatAddress(bytes);
}
