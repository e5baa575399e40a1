/** The urgency of a Priority field (RFC 9218 §4.1): "u=" and a digit, in a dictionary whose other members count for nothing here. Pure. */

/** Without one, or if it says none. */
export const URGENCY_DEFAULT = 3;
const LETTER_U = 117;
const EQUALS = 61;
const COMMA = 44;
const DIGIT_0 = 48;

/** 0, the most urgent, to 7. */
export function urgencyOf(bytes: Uint8Array, start: number, end: number): number {
  let isMemberStart = true;
  for (let pos = start; pos + 2 < end; pos++) {
    const byte = bytes[pos]!;
    if (isMemberStart && byte === LETTER_U && bytes[pos + 1] === EQUALS) {
      const urgency = bytes[pos + 2]! - DIGIT_0;
      return urgency >= 0 && urgency <= 7 ? urgency : URGENCY_DEFAULT;
    }
    if (byte !== 32) isMemberStart = byte === COMMA;
  }
  return URGENCY_DEFAULT;
}
