/** `requestHeaders` and `responseHeaders` of a route. */
import { z } from 'zod';
import { text } from './leaves.ts';
import { Fault, note } from './notes.ts';

/** RFC 9110 §5.6.2. */
export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Fields that frame a message or belong to one connection (RFC 9110 §7.6.1): an edit could only break them. */
const OURS = new Set(['connection', 'content-length', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'expect', 'http2-settings']);

function nameFault(value: string, side: 'request' | 'response'): Fault | null {
  const name = value.toLowerCase();
  if (!TOKEN.test(value)) return new Fault('is not a header name');
  if (OURS.has(name)) return new Fault('belongs to the connection and cannot be edited');
  if (side === 'request' && name === 'host') return new Fault('cannot be edited here', { expected: 'rewrite: { host: … } of the route' });
  return null;
}

/** RFC 9110 §5.5: no line break or other control character gets into a head. */
export function fieldText(value: string): Fault | null {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code > 255) return new Fault('holds characters that a header cannot carry', { expected: 'characters up to U+00FF' });
    if ((code < 32 && code !== 9) || code === 127) return new Fault('holds a control character, such as a line break');
  }
  return null;
}

const VALUE_FORM = 'text for a header';

export function headerEdits(side: 'request' | 'response') {
  const fieldName = text('a header name', (value) => nameFault(value, side));
  const value = text(VALUE_FORM, (content) => fieldText(content) ?? (content === content.trim() ? null : new Fault('begins or ends with white space')));
  const values = note(z.record(fieldName, value), { keyName: 'HEADER' }).prefault({});
  return z.strictObject({
    remove: z.array(fieldName).prefault([]).describe('Headers taken away, first of all.'),
    set: values.describe('Headers replaced, or added where they are missing.'),
    add: values.describe('Headers added, beside those of the same name.'),
  });
}
