/**
 * The PROXY protocol, versions 1 and 2, as haproxy.org's proxy-protocol.txt
 * has it: a header in front of a connection that names whom it was made for.
 * Pure. Both planes use it: listeners read it, connections to backends and
 * probes begin with it.
 *
 * What is ambiguous is refused, since whoever stands behind us might read it
 * otherwise. Three results are told apart as early as a byte decides them:
 * `none` (these bytes begin no header), `bad` (they begin one, and it is
 * broken), `more` (they may become one).
 */
import { crc32c } from '../base/crc32c.ts';
import { formatAddress, parseAddress, plainAddress } from './address.ts';
import { TLV, UNIQUE_ID_BYTES_MAX, V1_SIGNATURE, V2_SIGNATURE, type ProxyEnds, type ProxyHeader, type ProxyResult } from './proxy-header.ts';
import { parseV1 } from './proxy-v1.ts';
import { parseV2, V2_FIXED_BYTES } from './proxy-v2.ts';

/** What version 2 can say besides; version 1 has no place for it. */
export interface ProxyExtras {
  /** The name the client asked for, as in TLS. */
  readonly authority?: string | Uint8Array;
  /** As in ALPN, one protocol. */
  readonly alpn?: string | Uint8Array;
  /** Cut to UNIQUE_ID_BYTES_MAX bytes. */
  readonly uniqueId?: Uint8Array;
  /** Adds the CRC-32C of the whole header. */
  readonly hasChecksum?: boolean;
}

export type ProxyVersion = 'v1' | 'v2';

/** Parses the header that bytes[start, end) begin with. Only after `ok` does `into` hold anything. */
export function parseProxyHeader(bytes: Buffer, start: number, end: number, into: ProxyHeader): ProxyResult {
  into.reset();
  if (start >= end) return 'more';
  const isV1 = bytes[start] === V1_SIGNATURE[0];
  const signature = isV1 ? V1_SIGNATURE : V2_SIGNATURE;
  const compared = Math.min(signature.length, end - start);
  for (let i = 0; i < compared; i++) if (bytes[start + i] !== signature[i]) return 'none';
  if (compared < signature.length) return 'more';
  const result = isV1 ? parseV1(bytes, start, end, into) : parseV2(bytes, start, end, into);
  if (result !== 'ok') into.reset();
  return result;
}

/** null: it names nobody (UNKNOWN, LOCAL), as for a probe. */
export function buildProxyHeader(version: ProxyVersion, from: ProxyEnds | null, extras: ProxyExtras = {}): Buffer {
  return version === 'v1' ? buildV1(from) : buildV2(from, extras);
}

function buildV1(from: ProxyEnds | null): Buffer {
  if (from === null) return Buffer.from('PROXY UNKNOWN\r\n', 'latin1');
  const source = addressBytes(from.sourceAddress);
  const destination = addressBytes(from.destinationAddress);
  const isV4 = source.length === 4 && destination.length === 4;
  const text = (address: Uint8Array): string => (isV4 || address.length === 16 ? '' : '::ffff:') + formatAddress(address);
  return Buffer.from(`PROXY ${isV4 ? 'TCP4' : 'TCP6'} ${text(source)} ${text(destination)} ${from.sourcePort} ${from.destinationPort}\r\n`, 'latin1');
}

function buildV2(from: ProxyEnds | null, extras: ProxyExtras): Buffer {
  const source = from === null ? null : addressBytes(from.sourceAddress);
  const destination = from === null ? null : addressBytes(from.destinationAddress);
  const isV4 = source?.length === 4 && destination?.length === 4;
  const addressesBytes = source === null ? 0 : isV4 ? 12 : 36;
  const tlvs: [type: number, value: Uint8Array][] = [];
  if (extras.alpn !== undefined) tlvs.push([TLV.alpn, bytesOf(extras.alpn, 'latin1')]);
  if (extras.authority !== undefined) tlvs.push([TLV.authority, bytesOf(extras.authority, 'utf8')]);
  if (extras.uniqueId !== undefined) tlvs.push([TLV.uniqueId, extras.uniqueId.subarray(0, UNIQUE_ID_BYTES_MAX)]);
  if (extras.hasChecksum === true) tlvs.push([TLV.checksum, new Uint8Array(4)]);
  const length = tlvs.reduce((sum, [, value]) => sum + 3 + value.length, addressesBytes);
  const bytes = Buffer.alloc(V2_FIXED_BYTES + length);
  V2_SIGNATURE.copy(bytes);
  bytes[12] = from === null ? 0x20 : 0x21;
  bytes[13] = source === null ? 0 : isV4 ? 0x11 : 0x21;
  bytes.writeUInt16BE(length, 14);
  if (from !== null) writeEnds(bytes, source!, destination!, isV4, from);
  let at = V2_FIXED_BYTES + addressesBytes;
  for (const [type, value] of tlvs) {
    bytes[at] = type;
    bytes.writeUInt16BE(value.length, at + 1);
    bytes.set(value, at + 3);
    at += 3 + value.length;
  }
  // It stands last, and was made with zeros in its place.
  if (extras.hasChecksum === true) bytes.writeUInt32BE(crc32c(bytes, 0, bytes.length), bytes.length - 4);
  return bytes;
}

function bytesOf(value: string | Uint8Array, encoding: 'latin1' | 'utf8'): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value, encoding) : value;
}

function writeEnds(bytes: Buffer, source: Uint8Array, destination: Uint8Array, isV4: boolean, { sourcePort, destinationPort }: ProxyEnds): void {
  const size = isV4 ? 4 : 16;
  writeAddress(bytes, V2_FIXED_BYTES, source, size);
  writeAddress(bytes, V2_FIXED_BYTES + size, destination, size);
  bytes.writeUInt16BE(sourcePort, V2_FIXED_BYTES + 2 * size);
  bytes.writeUInt16BE(destinationPort, V2_FIXED_BYTES + 2 * size + 2);
}

/** Of two ends of different families the IPv4 one is written mapped: both have to be of one. */
function writeAddress(bytes: Buffer, at: number, address: Uint8Array, size: number): void {
  if (address.length === size) return void bytes.set(address, at);
  bytes[at + 10] = bytes[at + 11] = 255;
  bytes.set(address, at + 12);
}

function addressBytes(text: string): Uint8Array {
  const bytes = parseAddress(plainAddress(text));
  if (bytes === null) throw new Error(`not a literal IP address: ${text}`);
  return bytes;
}
