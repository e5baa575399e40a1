/**
 * How the text of queries, cookies and headers is read. Heads are latin1 (one
 * character a byte), patterns are the config's text: these meet as UTF-8.
 */
import { hexDigit } from './path-readings.ts';

/** Bytes held as latin1 → the text they are in UTF-8 (U+FFFD for what is not). */
export function utf8Text(latin1: string): string {
  for (let i = 0; i < latin1.length; i++) {
    if (latin1.charCodeAt(i) > 0x7f) return Buffer.from(latin1, 'latin1').toString('utf8');
  }
  return latin1;
}

/**
 * Calls `found` for each pair of a query, in order, as the URL standard's
 * application/x-www-form-urlencoded parser reads it: split at `&` alone, name
 * before the first `=`, `+` is a space, escapes decoded once and read as UTF-8,
 * a percent sign that begins no escape stands for itself. Empty pairs count for
 * nothing. `wanted` sees the decoded name first, so that values nobody asks for
 * are not decoded.
 */
export function readQuery(query: string, wanted: (name: string) => boolean, found: (name: string, value: string) => void): void {
  // The next `=` is looked for once, not again by each name without value: else a long query costs its square.
  let equals = query.indexOf('=');
  for (let start = 0; start < query.length; ) {
    let end = query.indexOf('&', start);
    if (end === -1) end = query.length;
    if (equals !== -1 && equals < start) equals = query.indexOf('=', start);
    if (end > start) {
      const nameEnd = equals === -1 || equals > end ? end : equals;
      const name = decodeFormText(query.slice(start, nameEnd));
      if (wanted(name)) found(name, decodeFormText(query.slice(Math.min(nameEnd + 1, end), end)));
    }
    start = end + 1;
  }
}

function decodeFormText(text: string): string {
  let plain = true;
  for (let i = 0; i < text.length && plain; i++) {
    const code = text.charCodeAt(i);
    plain = code !== 0x25 && code !== 0x2b && code < 0x80;
  }
  if (plain) return text;
  const bytes = Buffer.allocUnsafe(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const high = code === 0x25 ? hexDigit(text.charCodeAt(i + 1)) : -1;
    const low = high === -1 ? -1 : hexDigit(text.charCodeAt(i + 2));
    if (low !== -1) {
      bytes[length++] = high * 16 + low;
      i += 2;
    } else {
      bytes[length++] = code === 0x2b ? 0x20 : code;
    }
  }
  return bytes.toString('utf8', 0, length);
}

/**
 * Calls `found` for each pair of one Cookie field: split at `;`, blanks around
 * name and value cut, name before the first `=`; nothing is decoded and quotes
 * are part of the value (RFC 6265 §5.4 sends what was set). A piece without `=`
 * has no name and counts for nothing.
 */
export function readCookies(field: string, found: (name: string, value: string) => void): void {
  for (const piece of field.split(';')) {
    const equals = piece.indexOf('=');
    if (equals !== -1) found(piece.slice(0, equals).trim(), piece.slice(equals + 1).trim());
  }
}
