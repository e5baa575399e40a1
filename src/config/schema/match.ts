/** `match` of a route: which requests it takes. The result has the shape of the snapshot's patterns. */
import { isIPv4, isIPv6 } from 'node:net';
import { RE2JS } from 're2js';
import { z } from 'zod';
import type { FieldPattern, HostPattern, PathPattern, ValuePattern } from '../../shared/snapshot.ts';
import { cidr, hostNameFault } from './addresses.ts';
import { fieldText, TOKEN } from './header-edits.ts';
import { flag, oneOrMany, text } from './leaves.ts';
import { Fault, leaf, note } from './notes.ts';
import { broken, exactlyOne } from './rules.ts';

const HOST_FORM = 'a host name, an IP address, or a wildcard such as "*.example.com"';
const PATH_FORM = 'a path such as /v1, { exact: /v1 } or { regex: "/v[0-9]+" }';

const host = leaf(z.string(), ['string'], HOST_FORM, parseHostPattern);

export function parseHostPattern(value: string): HostPattern | Fault {
  const address = value.startsWith('[') && value.endsWith(']') ? value.slice(1, -1) : value;
  // A Host field carries IPv6 in brackets (RFC 3986 §3.2.2), so that is how it is compared.
  if (address.includes(':') && isIPv6(address) && !address.includes('%')) return { kind: 'exact', value: `[${address.toLowerCase()}]` };
  const port = /^(.*):[0-9]*$/.exec(value);
  if (port !== null) return new Fault('has a port, and hosts are compared without', { suggestion: JSON.stringify(port[1]) });
  if (/^[a-z]+:\/\//i.test(value)) return new Fault('is a URL, not a host');
  const suffix = value.startsWith('*.');
  const name = (suffix ? value.slice(2) : value).toLowerCase().replace(/\.$/, '');
  if (name === '*') return new Fault('matches any host', { expected: 'no host key for any host' });
  if (name.includes('*')) return new Fault('has a wildcard elsewhere than "*." in front');
  // An IPv4 address is a fine pattern here, so only the form of the labels counts.
  if (hostNameFault(`${name}.x`) !== null) return new Fault('is not a host name');
  return { kind: suffix ? 'suffix' : 'exact', value: name };
}

export const SNI_FORM = 'a server name, or a wildcard such as "*.example.com"';

/** What a TLS client asks for is a name, never an address (RFC 6066 §3). */
export function parseSniPattern(value: string): HostPattern | Fault {
  const pattern = parseHostPattern(value);
  if (pattern instanceof Fault) return pattern.message === 'matches any host' ? new Fault('matches any name', { expected: 'the key pool of the listener for any name' }) : pattern;
  if (pattern.value.startsWith('[') || isIPv4(pattern.value)) return new Fault('is an address, and TLS clients ask for names');
  return pattern;
}

const sni = leaf(z.string(), ['string'], SNI_FORM, parseSniPattern);

/** The same, as the key of a map: it stays as written. */
export const sniText = text(SNI_FORM, (value) => {
  const pattern = parseSniPattern(value);
  return pattern instanceof Fault ? pattern : null;
});

/** RFC 7301 §3.1: up to 255 bytes; those in use are printable. */
const alpn = text('an ALPN protocol such as h2 or http/1.1', (value) => {
  if (value === 'http1' || value === 'http1.1') return new Fault('is not the name of a protocol', { suggestion: 'http/1.1' });
  return /^[\x21-\x7e]{1,255}$/.test(value) ? null : new Fault('is not the name of a protocol');
});

/** What a path in the config must look like: it is compared without query, in plain form. */
export function pathFault(value: string): Fault | null {
  if (!value.startsWith('/')) return new Fault('does not begin with a slash', { suggestion: JSON.stringify(`/${value}`) });
  const bad = /[?#]/.exec(value);
  if (bad !== null) return new Fault(`holds a "${bad[0]}", and paths are compared without query`);
  if (!/^[\x21-\x7e]+$/.test(value)) return new Fault('holds characters that a URL must percent-encode', { suggestion: encodedPath(value) });
  if (/\/\/|\/\.{1,2}(\/|$)/.test(value)) return new Fault('holds an empty or dot segment');
  return null;
}

function encodedPath(value: string): string | null {
  return value.isWellFormed() ? encodeURI(value) : null;
}

const plainPath = text(PATH_FORM, pathFault);

export const regex = text('an RE2 expression', (value) => {
  try {
    RE2JS.compile(value);
    return null;
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : String(error);
    return new Fault(`is not an RE2 expression: ${reason}`, { expected: 'an RE2 expression: no look-around, no back-references' });
  }
});

const pathPrefix = leaf(z.string(), ['string'], PATH_FORM, (value: string): PathPattern | Fault => {
  const fault = pathFault(value);
  return fault ?? { kind: 'prefix', value: value.replace(/\/$/, '') };
});

const pathMap = z
  .strictObject({
    exact: plainPath.optional().describe('This path alone.'),
    regex: regex.optional().describe('An RE2 expression that must match the whole path.'),
  })
  .check(exactlyOne('exact', 'regex'))
  .transform((value): PathPattern => (value.exact === undefined ? { kind: 'regex', value: value.regex! } : { kind: 'exact', value: value.exact }));

const path = note(z.union([pathPrefix, pathMap]), { expected: PATH_FORM });

const FIELD_FORM = 'a text, a list of them, { regex: … } or { present: true }';
const exactValue = leaf(z.string(), ['string'], FIELD_FORM, (value: string): ValuePattern | Fault => fieldText(value) ?? { kind: 'exact', value });
const regexValue = z.strictObject({ regex: regex.describe('An RE2 expression that must match the whole value.') }).transform((value): ValuePattern => ({ kind: 'regex', value: value.regex }));

type FieldRule = Omit<FieldPattern, 'name'>;
const fieldRule = note(
  z.union([
    exactValue.transform((value): FieldRule => ({ values: [value], present: true })),
    z.array(note(z.union([exactValue, regexValue]), { expected: FIELD_FORM })).min(1).transform((values): FieldRule => ({ values, present: true })),
    z
      .strictObject({
        regex: regex.optional().describe('An RE2 expression that must match the whole value.'),
        present: flag().optional().describe('Whether the field must be there, whatever its value.'),
      })
      .check(exactlyOne('regex', 'present'))
      .transform((value): FieldRule => (value.regex === undefined ? { values: null, present: value.present! } : { values: [{ kind: 'regex', value: value.regex }], present: true })),
  ]),
  { expected: FIELD_FORM },
);

function fields(name: z.ZodType<string, string>, fold: boolean): z.ZodType<FieldPattern[], Record<string, unknown>> {
  const map = note(z.record(name, fieldRule), { keyName: 'FIELD' });
  return map.transform((rules) => Object.entries(rules).map(([key, rule]): FieldPattern => ({ name: fold ? key.toLowerCase() : key, ...rule })));
}

const headerName = text('a header name', (value) => (TOKEN.test(value) ? null : new Fault('is not a header name')));
const anyName = text('a name', (value) => (value === '' ? new Fault('is empty') : null));

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH']);
const method = text('a method such as GET', (value) => {
  if (!TOKEN.test(value)) return new Fault('is not a method');
  const upper = value.toUpperCase();
  return upper !== value && METHODS.has(upper) ? new Fault('is in lower case, and case counts in methods', { suggestion: upper }) : null;
});

const source = oneOrMany(cidr(), 'a network such as 10.0.0.0/8, or a list').optional().describe('Networks the client address must be in.');

export const match = z
  .strictObject({
    host: oneOrMany(host, HOST_FORM).optional().describe('Host of the request, without port, final dot and case. `"*.x"` is one or more labels before x.'),
    path: oneOrMany(path, PATH_FORM).optional().describe('A text is a prefix of whole segments: `/v1` is `/v1`, `/v1/` and `/v1/a`, not `/v10`. Case counts; no query.'),
    method: oneOrMany(method, 'a method such as GET, or a list').optional().describe('Method; case counts.'),
    header: fields(headerName, true).optional().describe('Header fields by name; a repeated one matches if one value does.'),
    query: fields(anyName, false).optional().describe('Query parameters by name.'),
    cookie: fields(anyName, false).optional().describe('Cookies by name.'),
    source,
  })
  .check((context) => {
    for (const key of ['header', 'query', 'cookie'] as const) if (context.value[key]?.length === 0) broken(context, [key], 'names no field');
  });

export const tcpMatch = z.strictObject({
  sni: oneOrMany(sni, SNI_FORM).optional().describe('Server name that a TLS client asks for, without case. `"*.x"` is one or more labels before x. A client without TLS has none.'),
  alpn: oneOrMany(alpn, 'an ALPN protocol such as h2, or a list').optional().describe('Protocols that a TLS client offers; one of them must be here. Case counts.'),
  source,
});

export const udpMatch = z.strictObject({ source });
