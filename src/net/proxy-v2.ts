/**
 * Version 2 of the PROXY protocol: binary, with additions (TLVs) behind the
 * addresses. Pure; called by proxy-protocol.ts once the signature has been
 * seen. The additions are judged when the header is whole.
 */
import { crc32c } from '../base/crc32c.ts';
import { formatAddress } from './address.ts';
import { TLV, UNIQUE_ID_BYTES_MAX, V2_SIGNATURE, type ProxyHeader, type ProxyResult } from './proxy-header.ts';

/** 64 KiB could be said; nothing that is said in practice comes near this. */
export const V2_BYTES_MAX = 4096;
/** Signature, command, family and length. */
export const V2_FIXED_BYTES = 16;
const TLVS_MAX = 64;

/** Bytes of the addresses by family; 3 is AF_UNIX, two paths of 108. */
const ADDRESSES_BYTES = [0, 12, 36, 216] as const;

/** bytes[start, end) begin with the signature. */
export function parseV2(bytes: Buffer, start: number, end: number, into: ProxyHeader): ProxyResult {
  const at = start + V2_SIGNATURE.length;
  if (at >= end) return 'more';
  const command = bytes[at]! - 0x20;
  if (command !== 0 && command !== 1) return 'bad';
  const isProxied = command === 1;
  if (at + 1 >= end) return 'more';
  const kind = bytes[at + 1]!;
  const family = kind >> 4;
  const transport = kind & 15;
  // Only these eight bytes are given out; what a LOCAL one has there is to be ignored.
  if (isProxied && kind !== 0 && (family < 1 || family > 3 || transport < 1 || transport > 2)) return 'bad';
  if (at + 3 >= end) return 'more';
  const length = bytes.readUInt16BE(at + 2);
  const addressesBytes = isProxied ? ADDRESSES_BYTES[family]! : 0;
  if (length < addressesBytes || length > V2_BYTES_MAX - V2_FIXED_BYTES) return 'bad';
  const headerEnd = start + V2_FIXED_BYTES + length;
  if (end < headerEnd) return 'more';
  into.version = 2;
  into.headerBytes = headerEnd - start;
  if (!isProxied) return 'ok';
  into.isDatagram = transport === 2;
  if (family === 1 || family === 2) takeV2Ends(bytes, start + V2_FIXED_BYTES, family === 1 ? 4 : 16, into);
  return takeTlvs(bytes, start, start + V2_FIXED_BYTES + addressesBytes, headerEnd, into) ? 'ok' : 'bad';
}

function takeV2Ends(bytes: Buffer, at: number, size: number, into: ProxyHeader): void {
  into.isLocal = false;
  into.sourceAddress = addressText(bytes.subarray(at, at + size));
  into.destinationAddress = addressText(bytes.subarray(at + size, at + 2 * size));
  into.sourcePort = bytes.readUInt16BE(at + 2 * size);
  into.destinationPort = bytes.readUInt16BE(at + 2 * size + 2);
}

/** Mapped IPv4 is IPv4 (address.ts). */
function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return formatAddress(bytes);
  const isMapped = bytes[10] === 255 && bytes[11] === 255 && bytes.subarray(0, 10).every((byte) => byte === 0);
  return formatAddress(isMapped ? bytes.subarray(12) : bytes);
}

/** False if they do not fill [from, end), or one of those we know is not as it must be. */
function takeTlvs(bytes: Buffer, start: number, from: number, end: number, into: ProxyHeader): boolean {
  let at = from;
  for (let count = 0; at < end; count++) {
    if (count === TLVS_MAX || at + 3 > end) return false;
    const valueStart = at + 3;
    const valueEnd = valueStart + bytes.readUInt16BE(at + 1);
    if (valueEnd > end || !takeTlv(bytes, start, end, bytes[at]!, valueStart, valueEnd, into)) return false;
    at = valueEnd;
  }
  return true;
}

function takeTlv(bytes: Buffer, start: number, end: number, type: number, from: number, to: number, into: ProxyHeader): boolean {
  const value = bytes.subarray(from, to);
  switch (type) {
    case TLV.alpn:
      return into.alpn === null && (into.alpn = value).length > 0;
    case TLV.authority:
      return into.authority === null && (into.authority = value).length > 0;
    case TLV.uniqueId:
      return into.uniqueId === null && (into.uniqueId = value).length <= UNIQUE_ID_BYTES_MAX;
    case TLV.ssl:
      return into.ssl === null && isSslValue((into.ssl = value));
    case TLV.netns:
      return into.netns === null && (into.netns = value).length > 0;
    case TLV.checksum:
      if (into.isChecked || value.length !== 4) return false;
      into.isChecked = value.readUInt32BE(0) === crc32c(bytes, start, end, from);
      return into.isChecked;
    default:
      // NOOP pads; the rest is given to others, or to no one yet: it is passed over.
      return true;
  }
}

/** One byte of flags and four of a verdict, then TLVs of its own. */
function isSslValue(value: Buffer): boolean {
  if (value.length < 5) return false;
  let at = 5;
  while (at + 3 <= value.length) at += 3 + value.readUInt16BE(at + 1);
  return at === value.length;
}
