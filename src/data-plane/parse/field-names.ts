/**
 * The field names this proxy must recognise, each with a small number. Found
 * by a hash that the scan of a name makes anyway, so an unknown name costs one
 * table load.
 */
import { TOKEN_FOLDED } from './bytes.ts';

export const FIELD = {
  other: 0,
  /** A disguise (`_` for `-`) of a name below: never passed on. */
  disguised: 1,
  connection: 2,
  keepAlive: 3,
  proxyConnection: 4,
  te: 5,
  trailer: 6,
  transferEncoding: 7,
  upgrade: 8,
  contentLength: 9,
  host: 10,
  expect: 11,
  maxForwards: 12,
  xForwardedFor: 13,
  xForwardedProto: 14,
  xForwardedHost: 15,
  xForwardedPort: 16,
  xRequestId: 17,
  forwarded: 18,
  xRealIp: 19,
  via: 20,
  http2Settings: 21,
  date: 22,
  proxyAuthenticate: 23,
  proxyAuthorization: 24,
  xForwardedClientCert: 25,
} as const;

const names: readonly (readonly [string, number])[] = [
  ['connection', FIELD.connection],
  ['keep-alive', FIELD.keepAlive],
  ['proxy-connection', FIELD.proxyConnection],
  ['te', FIELD.te],
  ['trailer', FIELD.trailer],
  ['transfer-encoding', FIELD.transferEncoding],
  ['upgrade', FIELD.upgrade],
  ['content-length', FIELD.contentLength],
  ['host', FIELD.host],
  ['expect', FIELD.expect],
  ['max-forwards', FIELD.maxForwards],
  ['x-forwarded-for', FIELD.xForwardedFor],
  ['x-forwarded-proto', FIELD.xForwardedProto],
  ['x-forwarded-host', FIELD.xForwardedHost],
  ['x-forwarded-port', FIELD.xForwardedPort],
  ['x-request-id', FIELD.xRequestId],
  ['forwarded', FIELD.forwarded],
  ['x-real-ip', FIELD.xRealIp],
  ['via', FIELD.via],
  ['http2-settings', FIELD.http2Settings],
  ['date', FIELD.date],
  ['proxy-authenticate', FIELD.proxyAuthenticate],
  ['proxy-authorization', FIELD.proxyAuthorization],
  ['x-forwarded-client-cert', FIELD.xForwardedClientCert],
];

/** Start value of the hash a name's scan makes, and one step of it; the scan in field-lines.ts has the step inlined. */
export const HASH_START = 7;
export function hashStep(hash: number, foldedByte: number): number {
  return (Math.imul(hash, 31) + foldedByte) | 0;
}

const SLOTS = 1024;
const idBySlot = new Uint8Array(SLOTS);
const nameBySlot: (Uint8Array | null)[] = new Array<Uint8Array | null>(SLOTS).fill(null);

function slotOf(hash: number): number {
  return (hash ^ (hash >>> 11)) & (SLOTS - 1);
}

for (const [name, id] of names) {
  const bytes = Buffer.from(name, 'latin1');
  let hash = HASH_START;
  for (const byte of bytes) hash = hashStep(hash, byte);
  const slot = slotOf(hash);
  if (nameBySlot[slot] !== null) throw new Error(`two field names share slot ${slot}: enlarge the table`);
  idBySlot[slot] = id;
  nameBySlot[slot] = bytes;
}

/** Number of the name in bytes[start, end), whose folded bytes hash to `hash`. */
export function fieldId(bytes: Uint8Array, start: number, end: number, hash: number): number {
  const slot = slotOf(hash);
  const name = nameBySlot[slot]!;
  if (name === null || name.length !== end - start) return FIELD.other;
  let disguised = false;
  for (let i = 0; i < name.length; i++) {
    const byte = bytes[start + i]!;
    if (TOKEN_FOLDED[byte] !== name[i]) return FIELD.other;
    if (byte === 95) disguised = true;
  }
  return disguised ? FIELD.disguised : idBySlot[slot]!;
}
