/** A PROXY header read the plain way, without any code of the product: the whole text, or why it is none. */
import { isIPv4, isIPv6, SocketAddress } from 'node:net';

export interface StrictProxyHeader {
  readonly version: 1 | 2;
  readonly bytes: number;
  /** null: it names nobody. */
  readonly ends: readonly [source: string, sourcePort: number, destination: string, destinationPort: number] | null;
  /** Values by type, of those that may be there once. */
  readonly tlvs: ReadonlyMap<number, string>;
}

const ONCE = new Set([0x01, 0x02, 0x03, 0x05, 0x20, 0x30]);

export function readStrictProxyHeader(text: string): StrictProxyHeader | string {
  return text.startsWith('PROXY ') ? readV1(text) : readV2(Buffer.from(text, 'latin1'));
}

/** As the runtime writes it, mapped IPv4 as IPv4. */
function plain(address: string): string {
  if (isIPv4(address)) return address;
  const written = new SocketAddress({ address, family: 'ipv6' }).address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(written);
  return mapped === null ? written : mapped[1]!;
}

function readV1(text: string): StrictProxyHeader | string {
  const end = text.indexOf('\r\n');
  if (end === -1 || end > 105) return 'no end of the line in time';
  const line = text.slice(0, end);
  const bytes = end + 2;
  if (/^PROXY UNKNOWN(?: [ -\xff]*)?$/.test(line)) return { version: 1, bytes, ends: null, tlvs: new Map() };
  const parts = /^PROXY TCP([46]) (\S+) (\S+) (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})$/.exec(line);
  if (parts === null) return 'not the line of a header';
  const [, family, source, destination, sourcePort, destinationPort] = parts as unknown as [string, string, string, string, string, string];
  const isAddress = family === '4' ? isIPv4 : (address: string) => isIPv6(address) && !address.includes('%');
  if (!isAddress(source) || !isAddress(destination)) return 'no address of its family';
  if (Number(sourcePort) > 65535 || Number(destinationPort) > 65535) return 'no port';
  return { version: 1, bytes, ends: [plain(source), Number(sourcePort), plain(destination), Number(destinationPort)], tlvs: new Map() };
}

function readV2(input: Buffer): StrictProxyHeader | string {
  if (input.length < 16 || input.subarray(0, 12).toString('hex') !== '0d0a0d0a000d0a515549540a') return 'no signature';
  const bytes = 16 + input.readUInt16BE(14);
  if (bytes > 4096 || bytes > input.length) return 'too long, or not whole';
  if (input[12] === 0x20) return { version: 2, bytes, ends: null, tlvs: new Map() };
  if (input[12] !== 0x21) return 'an unknown command';
  const sizes: Record<number, number> = { 0x00: 0, 0x11: 12, 0x12: 12, 0x21: 36, 0x22: 36, 0x31: 216, 0x32: 216 };
  const size = sizes[input[13]!];
  if (size === undefined || 16 + size > bytes) return 'an unknown family, or one that is cut short';
  const body = input.subarray(16, bytes);
  const tlvs = readTlvs(input.subarray(0, bytes), 16 + size);
  return typeof tlvs === 'string' ? tlvs : { version: 2, bytes, ends: size === 12 || size === 36 ? endsOf(body, (size - 4) / 2) : null, tlvs };
}

function endsOf(body: Buffer, size: number): StrictProxyHeader['ends'] {
  const text = (at: number): string => {
    const bytes = body.subarray(at, at + size);
    if (size === 4) return [...bytes].join('.');
    return plain(Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16)).join(':'));
  };
  return [text(0), body.readUInt16BE(2 * size), text(size), body.readUInt16BE(2 * size + 2)];
}

function readTlvs(header: Buffer, from: number): Map<number, string> | string {
  const tlvs = new Map<number, string>();
  let count = 0;
  for (let at = from; at < header.length; count++) {
    if (count === 64) return 'too many additions';
    if (at + 3 > header.length) return 'half an addition';
    const type = header[at]!;
    const value = header.subarray(at + 3, at + 3 + header.readUInt16BE(at + 1));
    if (value.length < header.readUInt16BE(at + 1)) return 'an addition that overruns';
    const problem = ONCE.has(type) ? (tlvs.has(type) ? 'twice' : problemOf(type, value, header, at + 3)) : null;
    if (problem !== null) return problem;
    if (ONCE.has(type)) tlvs.set(type, value.toString('latin1'));
    at += 3 + value.length;
  }
  return tlvs;
}

function problemOf(type: number, value: Buffer, header: Buffer, at: number): string | null {
  if (type === 0x05) return value.length > 128 ? 'a long id' : null;
  if (type === 0x03) return value.length === 4 && value.readUInt32BE(0) === bitwiseCrc(header, at) ? null : 'a wrong checksum';
  if (type === 0x20) return isSsl(value) ? null : 'TLS that is cut short';
  return value.length === 0 ? 'an empty value' : null;
}

function isSsl(value: Buffer): boolean {
  if (value.length < 5) return false;
  let rest = value.subarray(5);
  while (rest.length >= 3 && rest.length >= 3 + rest.readUInt16BE(1)) rest = rest.subarray(3 + rest.readUInt16BE(1));
  return rest.length === 0;
}

/** CRC-32C bit by bit, four bytes taken as zeros. */
function bitwiseCrc(bytes: Buffer, zeroedAt: number): number {
  let crc = 0xffffffffn;
  bytes.forEach((byte, i) => {
    crc ^= BigInt(i >= zeroedAt && i < zeroedAt + 4 ? 0 : byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ 0x82f63b78n : crc >> 1n;
  });
  return Number(crc ^ 0xffffffffn);
}
