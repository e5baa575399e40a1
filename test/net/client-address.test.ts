import { describe, expect, it } from 'vitest';
import { AddressSet } from '../../src/net/address.ts';
import { clientAddress } from '../../src/net/client-address.ts';

const trusted = new AddressSet(['10.0.0.0/8', 'fd00::/8']);
const none = new AddressSet([]);

describe('clientAddress', () => {
  it.each<[string, string, string[], string]>([
    ['believes nobody it does not trust', '192.0.2.1', ['198.51.100.1'], '192.0.2.1'],
    ['is the peer without a header', '10.0.0.1', [], '10.0.0.1'],
    ['is what a trusted peer says', '10.0.0.1', ['198.51.100.1'], '198.51.100.1'],
    ['stops at the rightmost untrusted one', '10.0.0.1', ['203.0.113.9, 198.51.100.1, 10.0.0.2'], '198.51.100.1'],
    ['ignores what the client wrote itself', '10.0.0.1', ['10.0.0.7, 198.51.100.1'], '198.51.100.1'],
    ['is the leftmost if all are trusted', '10.0.0.1', ['10.0.0.3, 10.0.0.2'], '10.0.0.3'],
    ['reads several fields as one list', '10.0.0.1', ['203.0.113.9, 198.51.100.1', '10.0.0.3', '10.0.0.2'], '198.51.100.1'],
    ['stops at a malformed entry, with the proxy that wrote it', '10.0.0.1', ['198.51.100.1, unknown, 10.0.0.2'], '10.0.0.2'],
    ['takes a malformed last entry as nothing said', '10.0.0.1', ['198.51.100.1, _hidden'], '10.0.0.1'],
    ['skips empty entries', '10.0.0.1', [' , 198.51.100.1 ,, ', ''], '198.51.100.1'],
    ['drops ports', '10.0.0.1', ['198.51.100.1:4711'], '198.51.100.1'],
    ['drops ports of IPv6', '10.0.0.1', ['[2001:DB8::1]:4711'], '2001:db8::1'],
    ['reads IPv6 in brackets', '10.0.0.1', ['[2001:db8::1]'], '2001:db8::1'],
    ['writes IPv6 in one way', '10.0.0.1', ['2001:DB8:0::0:1'], '2001:db8::1'],
    ['refuses a port that is none', '10.0.0.1', ['198.51.100.1:x'], '10.0.0.1'],
    ['refuses brackets around IPv4', '10.0.0.1', ['[198.51.100.1]'], '10.0.0.1'],
    ['refuses an open bracket', '10.0.0.1', ['[2001:db8::1'], '10.0.0.1'],
    ['refuses short IPv4', '10.0.0.1', ['10.1'], '10.0.0.1'],
    ['knows a mapped peer', '::ffff:10.0.0.1', ['198.51.100.1'], '198.51.100.1'],
    ['knows a mapped proxy in the list', '10.0.0.1', ['198.51.100.1, ::ffff:10.0.0.2'], '198.51.100.1'],
    ['trusts over IPv6', 'fd00::1', ['198.51.100.1, fd00::2'], '198.51.100.1'],
  ])('%s', (_name, peer, forwardedFor, expected) => {
    expect(clientAddress(peer, trusted, forwardedFor)).toBe(expected);
  });

  it('writes a peer plainly, trusted or not', () => {
    expect(clientAddress('::ffff:192.0.2.1', trusted, ['198.51.100.1'])).toBe('192.0.2.1');
    expect(clientAddress('fe80::1%eth0', none, ['198.51.100.1'])).toBe('fe80::1');
  });

  it('walks a list of any length once', () => {
    expect(clientAddress('10.0.0.1', trusted, ['198.51.100.1,' + '10.0.0.2,'.repeat(3000) + '::ffff:10.0.0.3'])).toBe('198.51.100.1');
    expect(clientAddress('10.0.0.1', trusted, [','.repeat(32_000)])).toBe('10.0.0.1');
  });
});
