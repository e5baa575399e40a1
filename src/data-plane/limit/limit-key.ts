/**
 * Whose bucket a request is counted in. As for balancing, a request without
 * the key counts by its client's address, apart from any key that reads like
 * one. Of an IPv6 address the first 64 bits count: a client has the others to
 * choose from.
 */
import { parseAddress } from '../../net/address.ts';
import type { KeySpec } from '../../shared/snapshot.ts';
import { keyText } from '../balance/key.ts';
import type { RouteQuery } from '../route/route-query.ts';

/** Field values hold no NUL: what a client sends is never taken for an address. */
const ADDRESS_MARK = '\0';

export function limitKey(spec: KeySpec, request: RouteQuery): string {
  if (spec.kind !== 'client-ip') {
    const text = keyText(spec, request);
    if (text !== '') return text;
  }
  return ADDRESS_MARK + clientPart(request.clientAddress());
}

function clientPart(address: string): string {
  if (!address.includes(':')) return address;
  const bytes = parseAddress(address);
  return bytes === null || bytes.length !== 16 ? address : String.fromCharCode(...bytes.subarray(0, 8));
}
