/**
 * The grammar of chunk extensions (RFC 9112 §7.1.1), a byte at a time:
 * `*( ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`, with white
 * space before a further ";" too. The decoder of the chunked coding has taken
 * the first ";" and cuts extensions out; what follows no grammar is refused,
 * because readers differ on where such a line ends.
 */
import { CR, FIELD_VALUE, SPACE, TAB, TOKEN } from './bytes.ts';

/** Where in an extension a reader stands. `end`: its CR was taken. */
export const EXTENSION = { refused: -1, end: 0, beforeName: 1, name: 2, afterName: 3, beforeValue: 4, token: 5, quoted: 6, escaped: 7, afterQuoted: 8, afterValue: 9 } as const;

const SEMICOLON = 59;
const EQUALS = 61;
const QUOTE = 34;
const BACKSLASH = 92;

/** The state after `byte`. */
export function nextInExtension(state: number, byte: number): number {
  switch (state) {
    case EXTENSION.beforeName:
      return TOKEN[byte] === 1 ? EXTENSION.name : isSpace(byte) ? state : EXTENSION.refused;
    case EXTENSION.name:
      if (TOKEN[byte] === 1) return state;
      if (byte === EQUALS) return EXTENSION.beforeValue;
      return isSpace(byte) ? EXTENSION.afterName : afterMember(byte);
    case EXTENSION.afterName:
      if (isSpace(byte)) return state;
      return byte === EQUALS ? EXTENSION.beforeValue : byte === SEMICOLON ? EXTENSION.beforeName : EXTENSION.refused;
    case EXTENSION.beforeValue:
      if (isSpace(byte)) return state;
      return byte === QUOTE ? EXTENSION.quoted : TOKEN[byte] === 1 ? EXTENSION.token : EXTENSION.refused;
    case EXTENSION.token:
      if (TOKEN[byte] === 1) return state;
      return isSpace(byte) ? EXTENSION.afterValue : afterMember(byte);
    case EXTENSION.quoted:
      if (byte === QUOTE) return EXTENSION.afterQuoted;
      return byte === BACKSLASH ? EXTENSION.escaped : FIELD_VALUE[byte] === 1 ? state : EXTENSION.refused;
    case EXTENSION.escaped:
      return FIELD_VALUE[byte] === 1 ? EXTENSION.quoted : EXTENSION.refused;
    case EXTENSION.afterQuoted:
      return isSpace(byte) ? EXTENSION.afterValue : afterMember(byte);
    default:
      // White space after a value: another member must follow.
      return isSpace(byte) ? state : byte === SEMICOLON ? EXTENSION.beforeName : EXTENSION.refused;
  }
}

function afterMember(byte: number): number {
  return byte === SEMICOLON ? EXTENSION.beforeName : byte === CR ? EXTENSION.end : EXTENSION.refused;
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}
