/** What HTTP/2 asks of the value of a field, of requests and answers alike. Pure. */
import { FIELD_VALUE, SPACE, TAB } from './bytes.ts';
import { plainEnd } from './field-lines.ts';

/** Neither control bytes nor white space at an end (RFC 9113 §8.2.1). */
export function isFieldValue(bytes: Buffer, start: number, end: number): boolean {
  let pos = plainEnd(bytes, start, end);
  while (pos < end && FIELD_VALUE[bytes[pos]!] === 1) pos++;
  return pos === end && (start === end || (!isBlank(bytes[start]!) && !isBlank(bytes[end - 1]!)));
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}
