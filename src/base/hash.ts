/**
 * Hashes that are the same on every proxy, in every version: what maglev,
 * ring-hash and source-hash place keys with. Changing one moves every client.
 */

/** 32-bit FNV-1a over UTF-16 code units' low bytes (keys are latin1), then murmur3's finaliser. Result: uint32. */
export function hash32(text: string, seed = 0): number {
  let h = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < text.length; i++) {
    h ^= text.charCodeAt(i);
    h = Math.imul(h, 0x01000193);
  }
  return mix32(h);
}

/** murmur3's fmix32: every input bit reaches every output bit. Result: uint32. */
export function mix32(value: number): number {
  let h = value | 0;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h >>> 0;
}
