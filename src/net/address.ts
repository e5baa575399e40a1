/**
 * IP addresses as bytes, and sets of CIDR blocks that are asked on every
 * connection. IPv4-mapped IPv6 (`::ffff:10.0.0.1`, what a dual-stack socket
 * reports) is IPv4 everywhere, so `10.0.0.0/8` means the same on both kinds of
 * socket. Only the dotted quad counts as IPv4: `127.1`, `0x7f.0.0.1` and
 * `010.0.0.1` are read differently by different programs, so they are no
 * addresses here. A zone (`fe80::1%eth0`) is dropped: no CIDR speaks of it.
 */
import ipaddr from 'ipaddr.js';

/** The longest literal with a zone of 15 characters (IFNAMSIZ): anything longer is refused unread. */
const ADDRESS_LENGTH_MAX = 61;

/** uint32 of a dotted quad; -1 if `text` is none. By hand, because it is asked of every X-Forwarded-For entry. */
export function parseIpv4(text: string): number {
  let value = 0;
  let octet = 0;
  let digits = 0;
  let dots = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x2e) {
      if (digits === 0 || dots === 3) return -1;
      value = value * 256 + octet;
      octet = 0;
      digits = 0;
      dots++;
      continue;
    }
    if (code < 0x30 || code > 0x39 || (digits > 0 && octet === 0)) return -1;
    octet = octet * 10 + code - 0x30;
    if (octet > 255) return -1;
    digits++;
  }
  return digits === 0 || dots !== 3 ? -1 : value * 256 + octet;
}

/** 4 or 16 bytes in network order; null if `text` is no literal address. */
export function parseAddress(text: string): Uint8Array | null {
  const v4 = parseIpv4(text);
  if (v4 !== -1) return Uint8Array.of(v4 >>> 24, (v4 >>> 16) & 255, (v4 >>> 8) & 255, v4 & 255);
  if (text.length > ADDRESS_LENGTH_MAX || !text.includes(':') || !ipaddr.IPv6.isValid(text)) return null;
  const parsed = ipaddr.IPv6.parse(text);
  return Uint8Array.from((parsed.isIPv4MappedAddress() ? parsed.toIPv4Address() : parsed).toByteArray());
}

/** The text of 4 or 16 bytes; IPv6 as RFC 5952 wants it. */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  return (ipaddr.fromByteArray([...bytes]) as ipaddr.IPv6).toRFC5952String();
}

/** A socket's `remoteAddress` as it is written everywhere else: mapped IPv4 and zones shortened, the rest untouched. */
export function plainAddress(text: string): string {
  if (text.startsWith('::ffff:') && text.includes('.')) return text.slice(7);
  const zone = text.indexOf('%');
  return zone === -1 ? text : text.slice(0, zone);
}

export interface Cidr {
  /** First address of the block: 4 or 16 bytes, bits beyond the prefix cleared. */
  readonly first: Uint8Array;
  readonly last: Uint8Array;
  readonly prefixLength: number;
}

/** `10.0.0.0/8`, `fd00::/8` or a lone address; null if it is neither. Bits set beyond the prefix are cleared. */
export function parseCidr(text: string): Cidr | null {
  const slash = text.indexOf('/');
  const addressText = slash === -1 ? text : text.slice(0, slash);
  const address = parseAddress(addressText);
  if (address === null) return null;
  const bits = address.length * 8;
  // A mapped block is written with an IPv6 length, of which 96 bits are the mapping.
  const mapping = bits === 32 && addressText.includes(':') ? 96 : 0;
  let prefixLength = bits;
  if (slash !== -1) {
    const lengthText = text.slice(slash + 1);
    if (!/^(0|[1-9][0-9]{0,2})$/.test(lengthText)) return null;
    prefixLength = Number(lengthText) - mapping;
    if (prefixLength < 0 || prefixLength > bits) return null;
  }
  const first = address.slice();
  const last = address.slice();
  for (let i = 0; i < first.length; i++) {
    const kept = Math.min(8, Math.max(0, prefixLength - i * 8));
    const mask = (0xff << (8 - kept)) & 0xff;
    first[i]! &= mask;
    last[i]! |= ~mask & 0xff;
  }
  return { first, last, prefixLength };
}

/** Addresses of any number of CIDR blocks; a question costs a binary search over merged ranges. */
export class AddressSet {
  readonly isEmpty: boolean;
  readonly #v4: Uint32Array;
  /** Each range is 8 words: 4 of its first address, 4 of its last. */
  readonly #v6: Uint32Array;
  readonly #asked = new Uint32Array(4);

  /** Throws on what `parseCidr` refuses: the config was checked before. */
  constructor(cidrs: readonly string[]) {
    const ranges: Record<4 | 16, [first: bigint, last: bigint][]> = { 4: [], 16: [] };
    for (const text of cidrs) {
      const cidr = parseCidr(text);
      if (cidr === null) throw new Error(`not an address block: ${text}`);
      ranges[cidr.first.length as 4 | 16].push([toBigInt(cidr.first), toBigInt(cidr.last)]);
    }
    this.#v4 = packRanges(mergeRanges(ranges[4]), 1);
    this.#v6 = packRanges(mergeRanges(ranges[16]), 4);
    this.isEmpty = cidrs.length === 0;
  }

  /** False for what is no address. */
  has(text: string): boolean {
    if (this.isEmpty) return false;
    const v4 = parseIpv4(text);
    if (v4 !== -1) return this.#hasV4(v4);
    const bytes = parseAddress(text);
    return bytes !== null && this.hasBytes(bytes);
  }

  /** `bytes` as `parseAddress` makes them. */
  hasBytes(bytes: Uint8Array): boolean {
    if (bytes.length === 4) return this.#hasV4(wordAt(bytes, 0));
    for (let i = 0; i < 4; i++) this.#asked[i] = wordAt(bytes, i * 4);
    let low = 0;
    let high = this.#v6.length / 8 - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (this.#compareAsked(middle * 8) < 0) high = middle - 1;
      else if (this.#compareAsked(middle * 8 + 4) > 0) low = middle + 1;
      else return true;
    }
    return false;
  }

  #hasV4(value: number): boolean {
    let low = 0;
    let high = this.#v4.length / 2 - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (value < this.#v4[middle * 2]!) high = middle - 1;
      else if (value > this.#v4[middle * 2 + 1]!) low = middle + 1;
      else return true;
    }
    return false;
  }

  #compareAsked(at: number): number {
    for (let i = 0; i < 4; i++) {
      const difference = this.#asked[i]! - this.#v6[at + i]!;
      if (difference !== 0) return difference;
    }
    return 0;
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

function toBigInt(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** Sorted, and without overlap: what makes a binary search right. */
function mergeRanges(ranges: [bigint, bigint][]): [bigint, bigint][] {
  const merged: [bigint, bigint][] = [];
  for (const [first, last] of ranges.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0))) {
    const before = merged.at(-1);
    if (before === undefined || first > before[1] + 1n) merged.push([first, last]);
    else if (last > before[1]) before[1] = last;
  }
  return merged;
}

function packRanges(ranges: [bigint, bigint][], wordsPerAddress: number): Uint32Array {
  const words: number[] = [];
  for (const address of ranges.flat()) {
    for (let i = wordsPerAddress - 1; i >= 0; i--) words.push(Number((address >> BigInt(i * 32)) & 0xffffffffn));
  }
  return Uint32Array.from(words);
}
