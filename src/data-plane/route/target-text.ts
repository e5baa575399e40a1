/**
 * Text of the config or of a request made fit for a request target or a
 * Location: only characters that may stand there, so that no line can be split
 * and nothing read as another part of the URL. Percent signs stay: what is
 * escaped is escaped already.
 */

/** What no path or query may hold (RFC 3986 §3.3, §3.4); brackets are let through, as browsers do. */
const UNFIT = /[^A-Za-z0-9\-._~!$&'()*+,;=:@/?%[\]]/;
const UNFIT_ALL = new RegExp(UNFIT.source, 'gu');

/** Text → target: everything unfit becomes the escapes of its UTF-8 bytes. `café` is `caf%C3%A9`. */
export function encodeTargetText(text: string): string {
  return UNFIT.test(text) ? text.replace(UNFIT_ALL, (character) => escapeBytes(Buffer.from(character, 'utf8'))) : text;
}

/** Bytes of a head (latin1) → target: everything unfit becomes the escape of its byte. */
export function encodeTargetBytes(latin1: string): string {
  return UNFIT.test(latin1) ? latin1.replace(UNFIT_ALL, (character) => escapeBytes(Buffer.from(character, 'latin1'))) : latin1;
}

function escapeBytes(bytes: Buffer): string {
  let escaped = '';
  for (const byte of bytes) escaped += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return escaped;
}
