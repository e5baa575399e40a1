import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, it } from 'vitest';
import { AddressSet, formatAddress, parseAddress, parseCidr, parseIpv4, plainAddress } from '../../src/net/address.ts';

describe('parseAddress', () => {
  it.each([
    ['1.2.3.4', '1.2.3.4'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['::1', '::1'],
    ['2001:DB8:0:0::1', '2001:db8::1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::ffff:a00:1', '10.0.0.1'],
    ['fe80::1%eth0', 'fe80::1'],
  ])('%s is %s', (text, plain) => {
    expect(formatAddress(parseAddress(text)!)).toBe(plain);
  });

  it.each([
    '', 'x', 'unknown', '1.2.3', '1.2.3.4.5', '1.2.3.256', '1.2.3.04', '01.2.3.4', '0x7f.0.0.1', '127.1', '2130706433', '1.2.3.', '.1.2.3', '1..2.3',
    ' 1.2.3.4', '1.2.3.4 ', '-1.2.3.4', '1.2.3.4:80', '[::1]', ':::', '1::2::3', '12345::', '::1/64', '1.2.3.4/8', `${'0'.repeat(100)}::1`,
  ])('refuses "%s"', (text) => {
    expect(parseAddress(text)).toBeNull();
    expect(parseIpv4(text)).toBe(-1);
  });
});

it('plainAddress drops what only a socket adds', () => {
  expect(plainAddress('::ffff:192.0.2.1')).toBe('192.0.2.1');
  expect(plainAddress('fe80::1%eth0')).toBe('fe80::1');
  expect(plainAddress('192.0.2.1')).toBe('192.0.2.1');
  expect(plainAddress('2001:db8::1')).toBe('2001:db8::1');
});

describe('parseCidr', () => {
  it.each([
    ['10.1.2.3/8', '10.0.0.0', '10.255.255.255'],
    ['10.1.2.3', '10.1.2.3', '10.1.2.3'],
    ['0.0.0.0/0', '0.0.0.0', '255.255.255.255'],
    ['192.0.2.77/30', '192.0.2.76', '192.0.2.79'],
    ['fd00::1/7', 'fc00::', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['::ffff:10.0.0.0/104', '10.0.0.0', '10.255.255.255'],
    ['::ffff:a00:0/104', '10.0.0.0', '10.255.255.255'],
    ['::ffff:0:0/96', '0.0.0.0', '255.255.255.255'],
  ])('%s reaches from %s to %s', (text, first, last) => {
    const cidr = parseCidr(text)!;
    expect([formatAddress(cidr.first), formatAddress(cidr.last)]).toEqual([first, last]);
  });

  it.each(['', '/8', '10.0.0.0/', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/08', '10.0.0.0/8/8', '::/129', '::ffff:10.0.0.0/8', 'x/8', '10.0.0.0/8 '])('refuses "%s"', (text) => {
    expect(parseCidr(text)).toBeNull();
  });
});

describe('AddressSet', () => {
  it('is asked with any spelling', () => {
    const set = new AddressSet(['10.0.0.0/8', '2001:db8::/32', '192.0.2.1']);
    for (const inside of ['10.0.0.0', '10.255.255.255', '::ffff:10.1.1.1', '192.0.2.1', '2001:db8::', '2001:db8:ffff::1', '2001:0DB8::1%eth0']) expect(set.has(inside)).toBe(true);
    for (const outside of ['9.255.255.255', '11.0.0.0', '192.0.2.0', '192.0.2.2', '2001:db7:ffff::', '2001:db9::', '::a00:1', 'x', '']) expect(set.has(outside)).toBe(false);
  });

  it('joins what touches, and nothing else', () => {
    const set = new AddressSet(['10.0.0.2/31', '10.0.0.0/32', '10.0.0.5', 'fd00::', 'fd00::2', '10.0.0.2']);
    expect(['10.0.0.0', '10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6'].map((text) => set.has(text))).toEqual([true, false, true, true, false, true, false]);
    expect(['fd00::', 'fd00::1', 'fd00::2', 'fd00::3'].map((text) => set.has(text))).toEqual([true, false, true, false]);
  });

  it('keeps the families apart', () => {
    expect(new AddressSet(['::/0']).has('10.0.0.1')).toBe(false);
    expect(new AddressSet(['0.0.0.0/0']).has('::1')).toBe(false);
    expect(new AddressSet([]).isEmpty).toBe(true);
    expect(new AddressSet([]).has('10.0.0.1')).toBe(false);
  });

  it('throws on what is no block', () => {
    expect(() => new AddressSet(['10.0.0.0/40'])).toThrow('not an address block: 10.0.0.0/40');
  });

  it('answers as asking each block in turn does', () => {
    // Few bits differ, so that blocks overlap, touch and contain each other.
    const v4 = fc.tuple(fc.constantFrom(0, 10, 11, 255), fc.constantFrom(0, 127, 128, 255), fc.constantFrom(0, 255), fc.nat(3)).map((octets) => octets.join('.'));
    const v6 = fc.tuple(fc.constantFrom('0', 'fd00', 'ffff'), fc.constantFrom('0', '7fff', '8000'), fc.constantFrom('0', 'ffff'), fc.nat(3)).map(([a, b, c, d]) => `${a}:${b}:0:0:${c}:0:0:${d}`);
    const block = fc.oneof(fc.tuple(v4, fc.nat(32)), fc.tuple(v6, fc.nat(128))).map(([address, bits]) => `${address}/${bits}`);
    fc.assert(
      fc.property(fc.array(block, { maxLength: 12 }), fc.array(fc.oneof(v4, v6), { minLength: 1, maxLength: 20 }), (blocks, addresses) => {
        const set = new AddressSet(blocks);
        for (const text of addresses) {
          const address = ipaddr.parse(text);
          const expected = blocks.some((each) => {
            const [network, bits] = ipaddr.parseCIDR(each);
            return network.kind() === address.kind() && address.match(network, bits);
          });
          expect(set.has(text)).toBe(expected);
        }
      }),
      { numRuns: 500 },
    );
  });
});
