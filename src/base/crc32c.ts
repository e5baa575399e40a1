/** CRC-32C (Castagnoli; RFC 3720 §B.4), which node's zlib does not have. */

const TABLE = new Uint32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  TABLE[byte] = value >>> 0;
}

/**
 * Of bytes[start, end), as a uint32. Of four bytes from `zeroedAt` on it takes
 * zeros instead: a checksum that covers the field it stands in is made so.
 */
export function crc32c(bytes: Uint8Array, start: number, end: number, zeroedAt = -4): number {
  let crc = 0xffffffff;
  for (let i = start; i < end; i++) {
    const byte = i >= zeroedAt && i < zeroedAt + 4 ? 0 : bytes[i]!;
    crc = TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}
