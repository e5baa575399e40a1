/** TLS ClientHellos: recorded ones of real clients, and made ones, spread over records as a test wants it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../data-plane/parse/hellos');

export interface RecordedHello {
  readonly name: string;
  readonly bytes: Buffer;
}

/** As they came from the clients they are named after; all asked for a.example.com, but those whose name says otherwise. */
export const recordedHellos: readonly RecordedHello[] = readdirSync(folder)
  .sort()
  .map((file) => ({ name: file.replace(/\.bin$/, ''), bytes: readFileSync(join(folder, file)) }));

export function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}

export function vector(lengthBytes: 1 | 2 | 3, ...parts: readonly (Buffer | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)));
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(body.length, 0, lengthBytes);
  return Buffer.concat([length, body]);
}

export function extension(type: number, body: Buffer): Buffer {
  return Buffer.concat([u16(type), vector(2, body)]);
}

export function serverNameExtension(...names: readonly string[]): Buffer {
  return extension(0, vector(2, ...names.flatMap((name) => [Buffer.from([0]), vector(2, name)])));
}

export function alpnExtension(...protocols: readonly string[]): Buffer {
  return extension(16, vector(2, ...protocols.map((name) => vector(1, name))));
}

/** The handshake message, without records. `extensions` null: none at all, as before TLS 1.3. */
export function helloMessage(extensions: readonly Buffer[] | null, parts: { sessionId?: Buffer; suites?: Buffer } = {}): Buffer {
  const body = [Buffer.from([3, 3]), Buffer.alloc(32, 7), vector(1, parts.sessionId ?? Buffer.alloc(32, 9)), vector(2, parts.suites ?? Buffer.from([0x13, 0x01, 0x13, 0x02])), vector(1, '\0')];
  if (extensions !== null) body.push(vector(2, ...extensions));
  return Buffer.concat([Buffer.from([1]), vector(3, ...body)]);
}

/** In records of the given lengths, the last of them repeated; absent: one record. */
export function inRecords(message: Buffer, lengths: readonly number[] = [message.length], minorVersion = 1): Buffer {
  const records: Buffer[] = [];
  for (let at = 0, i = 0; at < message.length; i++) {
    const length = Math.min(message.length - at, lengths[Math.min(i, lengths.length - 1)]!);
    records.push(Buffer.from([22, 3, minorVersion]), vector(2, message.subarray(at, at + length)));
    at += length;
  }
  return Buffer.concat(records);
}

/** The message in one record's payload, taken out. */
export function messageOf(record: Buffer): Buffer {
  return record.subarray(5, 5 + record.readUInt16BE(3));
}
