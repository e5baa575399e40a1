/**
 * Request ids: 32 hexadecimal digits, 20 drawn once by the worker and 12
 * counted up. Unique over workers and restarts; not a secret.
 */
import { randomBytes } from 'node:crypto';

const PREFIX_DIGITS = 20;
/** The field's line up to the digits that count; one copy. */
const lead = Buffer.from(`X-Request-ID: ${randomBytes(PREFIX_DIGITS / 2).toString('hex')}`, 'latin1');
const DIGITS = Buffer.from('0123456789abcdef', 'latin1');
let high = 0;
let low = 0;

export const REQUEST_ID_LENGTH = 32;

/** Writes a field line with the next id at `at`; returns the position after it. */
export function writeRequestIdLine(out: Buffer, at: number): number {
  low = (low + 1) & 0xffffff;
  if (low === 0) high = (high + 1) & 0xffffff;
  lead.copy(out, at);
  const digits = at + lead.length;
  writeHex24(out, digits, high);
  writeHex24(out, digits + 6, low);
  out[digits + 12] = 13;
  out[digits + 13] = 10;
  return digits + 14;
}

/** The next id by itself, for what is no request. */
export function nextId(): Buffer {
  const line = Buffer.allocUnsafe(lead.length + 14);
  const end = writeRequestIdLine(line, 0) - 2;
  return line.subarray(end - REQUEST_ID_LENGTH, end);
}

function writeHex24(out: Buffer, at: number, value: number): void {
  out[at] = DIGITS[value >>> 20]!;
  out[at + 1] = DIGITS[(value >>> 16) & 15]!;
  out[at + 2] = DIGITS[(value >>> 12) & 15]!;
  out[at + 3] = DIGITS[(value >>> 8) & 15]!;
  out[at + 4] = DIGITS[(value >>> 4) & 15]!;
  out[at + 5] = DIGITS[value & 15]!;
}
