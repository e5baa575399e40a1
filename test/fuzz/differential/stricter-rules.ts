/**
 * Why we refuse a request that another program accepts: each rule finds its
 * own case in the bytes, without the parser under test. docs/http-differences.md
 * explains every one; a refusal that none of them explains is a finding.
 */
import { isIPv6 } from 'node:net';

export interface StricterRule {
  readonly id: string;
  /** `request`: the text from where the refused request begins. */
  applies(request: string, parts: RequestParts): boolean;
}

export interface RequestParts {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  /** Field lines as they came, without line ends. */
  readonly lines: readonly string[];
  readonly body: string;
  /** Of the fields of that name, in lower case. */
  readonly values: (name: string) => string[];
}

export function partsOf(request: string): RequestParts {
  const text = request.replace(/^[\r\n]+/, '');
  const end = /\r?\n\r?\n/.exec(text);
  const headEnd = end === null ? text.length : end.index;
  const [first = '', ...lines] = text.slice(0, headEnd).split(/\r?\n/);
  const [method = '', target = '', version = ''] = first.split(' ');
  const values = (name: string): string[] => lines.filter((line) => line.toLowerCase().startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).replace(/^[ \t]+|[ \t]+$/g, ''));
  return { method, target, version, lines, body: end === null ? '' : text.slice(headEnd + end[0].length), values };
}

function isAuthority(text: string): boolean {
  const match = /^(?:\[([^\]]*)\]|([\w\-.~!$&'()*+,;=]*))(?::[0-9]{0,5})?$/.exec(text);
  return match !== null && (match[1] === undefined || isIPv6(match[1])) && !text.startsWith(':');
}

/** RFC 9112 §7.1.1, without the white space that it has before the first semicolon. */
const CHUNK_LINE = (() => {
  const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
  const quoted = '"(?:[\\t !#-\\[\\]-~\\x80-\\xff]|\\\\[\\t -~\\x80-\\xff])*"';
  const member = `[\\t ]*${token}(?:[\\t ]*=[\\t ]*(?:${token}|${quoted}))?`;
  return new RegExp(`^[0-9A-Fa-f]+(?:;${member}(?:[\\t ]*;${member})*)?$`);
})();
const FRAMING_TRAILER = /^(?:content-length|transfer-encoding|trailer|host|max-forwards|expect|connection|keep-alive|proxy-connection|te|upgrade|http2-settings):/i;

export const stricterRules: readonly StricterRule[] = [
  { id: 'empty-lines', applies: (request) => /^(?:\r\n){5}|^\r?\n|^\r(?!\n)/.test(request) && !/^(?:\r\n){1,4}[^\r\n]/.test(request) },
  { id: 'method-not-carried', applies: (_, { method }) => method === 'CONNECT' || method === 'TRACE' },
  { id: 'method-length', applies: (_, { method }) => method.length > 32 },
  { id: 'version', applies: (_, { version }) => !/^HTTP\/1\.[0-9]$/.test(version) },
  { id: 'https-target', applies: (_, { target }) => /^https:/i.test(target) },
  { id: 'target-bytes', applies: (_, { target }) => /[^!-~]|#/.test(target) },
  { id: 'target-form', applies: (_, { method, target }) => !target.startsWith('/') && !/^http:\/\/[^/?]/i.test(target) && !(target === '*' && method === 'OPTIONS') },
  { id: 'authority', applies: (_, { target, values }) => [...values('host'), ...(/^http:\/\/([^/?]*)/i.exec(target)?.slice(1) ?? [])].some((text) => !isAuthority(text)) },
  { id: 'host-count', applies: (_, { version, values }) => values('host').length > 1 || (values('host').length === 0 && version !== 'HTTP/1.0') },
  { id: 'length-form', applies: (_, { values }) => values('content-length').length > 1 || values('content-length').some((value) => !/^[0-9]{1,16}$/.test(value)) },
  { id: 'coding-not-chunked', applies: (_, { values }) => values('transfer-encoding').length > 1 || values('transfer-encoding').some((value) => value.toLowerCase() !== 'chunked') },
  { id: 'coding-in-http-1.0', applies: (_, { version, values }) => version === 'HTTP/1.0' && values('transfer-encoding').length > 0 },
  { id: 'two-framings', applies: (_, { values }) => values('transfer-encoding').length > 0 && values('content-length').length > 0 },
  { id: 'max-forwards', applies: (_, { values }) => values('max-forwards').length > 1 || values('max-forwards').some((value) => !/^[0-9]{1,16}$/.test(value)) },
  { id: 'line-ends', applies: (request) => /(?<!\r)\n|\r(?!\n)/.test(request) },
  { id: 'field-bytes', applies: (_, { lines }) => lines.some((line) => !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*$/.test(line)) },
  { id: 'field-count', applies: (_, { lines }) => lines.length > 128 },
  { id: 'chunk-size', applies: (_, { values, body }) => values('transfer-encoding').length > 0 && /(?:^|\n)[0-9A-Fa-f]{14,}/.test(body) },
  { id: 'chunk-extension', applies: (_, { values, body }) => values('transfer-encoding').length > 0 && body.split('\r\n').some((line) => /^[0-9A-Fa-f]+[ \t;]/.test(line) && (!CHUNK_LINE.test(line) || line.length > 1024)) },
  { id: 'trailer-framing', applies: (_, { values, body }) => values('transfer-encoding').length > 0 && trailerLines(body).some((line) => FRAMING_TRAILER.test(line)) },
  { id: 'trailer-bytes', applies: (_, { values, body }) => values('transfer-encoding').length > 0 && !/^$|^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*$/.test(trailerLines(body).find((line) => !/^$|^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*$/.test(line)) ?? '') },
];

/** Lines behind the last chunk, found roughly. */
function trailerLines(body: string): string[] {
  const at = /(?:^|\r\n)0+(?:;[^\r\n]*)?\r\n/.exec(body);
  if (at === null) return [];
  const rest = body.slice(at.index + at[0].length);
  return rest.slice(0, rest.indexOf('\r\n\r\n')).split('\r\n');
}

/** The first rule that explains the refusal; null: none does. */
export function whyStricter(request: string): string | null {
  const parts = partsOf(request);
  return stricterRules.find((rule) => rule.applies(request, parts))?.id ?? null;
}
