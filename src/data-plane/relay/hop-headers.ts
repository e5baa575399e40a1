/**
 * Which fields end here (RFC 9110 §7.6.1) and which we speak for ourselves:
 * the tables behind both head builders.
 */
import { isNominated } from '../parse/body-framing.ts';
import type { FieldLines } from '../parse/field-lines.ts';
import { FIELD } from '../parse/field-names.ts';

const KEEP = 0;
const DROP = 1;
const DROP_UNTRUSTED = 2;

const requestRule = new Uint8Array(256);
requestRule[FIELD.disguised] = DROP;
requestRule[FIELD.connection] = DROP;
requestRule[FIELD.keepAlive] = DROP;
requestRule[FIELD.proxyConnection] = DROP;
requestRule[FIELD.te] = DROP;
requestRule[FIELD.transferEncoding] = DROP;
requestRule[FIELD.upgrade] = DROP;
requestRule[FIELD.http2Settings] = DROP;
requestRule[FIELD.xForwardedFor] = DROP;
requestRule[FIELD.xForwardedProto] = DROP_UNTRUSTED;
requestRule[FIELD.xForwardedHost] = DROP_UNTRUSTED;
requestRule[FIELD.xForwardedPort] = DROP_UNTRUSTED;
requestRule[FIELD.xRequestId] = DROP_UNTRUSTED;
requestRule[FIELD.forwarded] = DROP_UNTRUSTED;
requestRule[FIELD.xRealIp] = DROP_UNTRUSTED;
requestRule[FIELD.xForwardedClientCert] = DROP_UNTRUSTED;

/** Fields a Connection field may not take away: they frame or route the message, or are ours. */
const protectedFromNomination = new Uint8Array(256);
for (const id of [FIELD.contentLength, FIELD.host, FIELD.expect, FIELD.maxForwards, FIELD.trailer, FIELD.via, FIELD.date]) protectedFromNomination[id] = 1;

/** True if field `index` of a request is not passed on as it came. */
export function endsHere(bytes: Buffer, fields: FieldLines, index: number, isTrusted: boolean, nominatesFields: boolean): boolean {
  const id = fields.id[index]!;
  const rule = requestRule[id]!;
  if (rule === DROP || (rule === DROP_UNTRUSTED && !isTrusted)) return true;
  return nominatesFields && rule === KEEP && protectedFromNomination[id] === 0 && isNominated(bytes, fields, index);
}

const answerRule = new Uint8Array(256);
answerRule[FIELD.connection] = DROP;
answerRule[FIELD.keepAlive] = DROP;
answerRule[FIELD.proxyConnection] = DROP;
answerRule[FIELD.upgrade] = DROP;
answerRule[FIELD.te] = DROP;

/** True if field `index` of an answer is not passed on. `takesChunks`: the transfer coding passes as it is. */
export function endsAtProxy(bytes: Buffer, fields: FieldLines, index: number, takesChunks: boolean, nominatesFields: boolean): boolean {
  const id = fields.id[index]!;
  if (id === FIELD.transferEncoding) return !takesChunks;
  if (answerRule[id] === DROP) return true;
  return nominatesFields && protectedFromNomination[id] === 0 && isNominated(bytes, fields, index);
}

/**
 * Fields that make a whole message doubtful where they trail: they frame or
 * route it or speak of the connection, and a receiver that merges trailers
 * into the head would read another message
 * (docs/decisions/0006-what-frames-must-not-trail.md).
 */
const refusedTrailers = new Uint8Array(256);
for (const id of [
  FIELD.contentLength, FIELD.transferEncoding, FIELD.trailer, FIELD.host, FIELD.maxForwards, FIELD.expect,
  FIELD.connection, FIELD.keepAlive, FIELD.proxyConnection, FIELD.te, FIELD.upgrade, FIELD.http2Settings,
]) refusedTrailers[id] = 1;

/** True if a message with field `index` in its trailer section is refused. */
export function mustNotTrail(fields: FieldLines, index: number): boolean {
  return refusedTrailers[fields.id[index]!] === 1;
}

/**
 * Fields that are taken out of a trailer section (RFC 9110 §6.5.1): those that
 * authenticate, control or describe, disguises, and ours. Unlike those above
 * they are sent by honest programs that know no better.
 */
const forbiddenTrailers = new Set([
  'age', 'authorization', 'cache-control', 'content-encoding', 'content-length', 'content-range', 'content-type', 'cookie', 'date', 'expect', 'expires', 'host',
  'if-match', 'if-modified-since', 'if-none-match', 'if-range', 'if-unmodified-since', 'location', 'max-forwards', 'pragma', 'proxy-authenticate', 'proxy-authorization',
  'range', 'retry-after', 'set-cookie', 'te', 'trailer', 'vary', 'warning', 'www-authenticate',
]);

/** `nominated`: lower-case names that Connection lists, or null. */
export function mayTrail(bytes: Buffer, fields: FieldLines, index: number, nominated: ReadonlySet<string> | null): boolean {
  if (fields.id[index] !== FIELD.other) return false;
  const name = bytes.toString('latin1', fields.nameStart[index], fields.nameEnd[index]).toLowerCase();
  return nominated?.has(name) !== true && !forbiddenTrailers.has(name.replaceAll('_', '-'));
}
