/** The static table of HPACK (RFC 7541 Appendix A) as offsets into one run of bytes, and its names by their hash. */
import { hashStep, HASH_START } from './field-names.ts';

/** In the order of their index, which begins at 1. */
const entries: readonly (readonly [name: string, value?: string])[] = [
  [':authority'], [':method', 'GET'], [':method', 'POST'], [':path', '/'], [':path', '/index.html'], [':scheme', 'http'], [':scheme', 'https'],
  [':status', '200'], [':status', '204'], [':status', '206'], [':status', '304'], [':status', '400'], [':status', '404'], [':status', '500'],
  ['accept-charset'], ['accept-encoding', 'gzip, deflate'], ['accept-language'], ['accept-ranges'], ['accept'], ['access-control-allow-origin'],
  ['age'], ['allow'], ['authorization'], ['cache-control'], ['content-disposition'], ['content-encoding'], ['content-language'], ['content-length'],
  ['content-location'], ['content-range'], ['content-type'], ['cookie'], ['date'], ['etag'], ['expect'], ['expires'], ['from'], ['host'],
  ['if-match'], ['if-modified-since'], ['if-none-match'], ['if-range'], ['if-unmodified-since'], ['last-modified'], ['link'], ['location'],
  ['max-forwards'], ['proxy-authenticate'], ['proxy-authorization'], ['range'], ['referer'], ['refresh'], ['retry-after'], ['server'],
  ['set-cookie'], ['strict-transport-security'], ['transfer-encoding'], ['user-agent'], ['vary'], ['via'], ['www-authenticate'],
];

/** Indexes from 1 to this one are in the static table. */
export const STATIC_COUNT = entries.length;

/** All names and values, one behind the other. */
export const staticBytes = Buffer.from(entries.map(([name, value = '']) => name + value).join(''), 'latin1');
/** By index: where the name begins, where it ends and the value begins, where that ends. */
export const staticNameStart = new Int32Array(STATIC_COUNT + 1);
export const staticNameEnd = new Int32Array(STATIC_COUNT + 1);
export const staticValueEnd = new Int32Array(STATIC_COUNT + 1);

/** The status codes that have an index of their own. */
export const staticStatusIndex = new Uint8Array(1000);
/** Of the first `:status`, whose name others borrow. */
export const STATUS_NAME_INDEX = 8;

const SLOTS = 512;
/** Index of the first entry of a name, by a slot of the name's hash; 0: none. */
const indexBySlot = new Uint8Array(SLOTS);

function slotOf(hash: number): number {
  return (hash ^ (hash >>> 9)) & (SLOTS - 1);
}

let offset = 0;
entries.forEach(([name, value = ''], i) => {
  const index = i + 1;
  staticNameStart[index] = offset;
  staticNameEnd[index] = offset += name.length;
  staticValueEnd[index] = offset += value.length;
  if (name === ':status') staticStatusIndex[Number(value)] = index;
  if (name.startsWith(':')) return;
  let hash = HASH_START;
  for (let at = 0; at < name.length; at++) hash = hashStep(hash, name.charCodeAt(at));
  // Two names in one slot: the later one has no index for the encoder, which costs bytes and nothing else.
  if (indexBySlot[slotOf(hash)] === 0) indexBySlot[slotOf(hash)] = index;
});

/** Index of the field name in lower-case bytes[start, end), whose bytes hash to `hash`; 0: it has none. */
export function staticNameIndex(bytes: Uint8Array, start: number, end: number, hash: number): number {
  const index = indexBySlot[slotOf(hash)]!;
  if (index === 0) return 0;
  const from = staticNameStart[index]!;
  if (staticNameEnd[index]! - from !== end - start) return 0;
  for (let i = start; i < end; i++) if (staticBytes[from + i - start] !== bytes[i]) return 0;
  return index;
}
