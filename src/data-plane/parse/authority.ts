/** Host and port as they stand in Host or an absolute target (RFC 3986 §3.2.2, §3.2.3). */

const REG_NAME = new Uint8Array(256);
for (const char of "-._~!$&'()*+,;=0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") REG_NAME[char.charCodeAt(0)] = 1;
const IP_LITERAL = new Uint8Array(256);
for (const char of '0123456789abcdefABCDEF:.') IP_LITERAL[char.charCodeAt(0)] = 1;

/** End of the authority that begins at `start` of an absolute target. */
export function authorityEnd(bytes: Uint8Array, start: number, end: number): number {
  let pos = start;
  while (pos < end && bytes[pos] !== 47 && bytes[pos] !== 63) pos++;
  return pos;
}

/**
 * True for `name`, `name:port`, `[v6]`, `[v6]:port` and nothing at all (an
 * empty Host is allowed). Userinfo is refused: an origin may take what stands
 * before "@" for the name. So are percent-encodings, which no domain name
 * needs: routing would see one name and an origin that decodes them another.
 */
export function isAuthority(bytes: Uint8Array, start: number, end: number): boolean {
  let pos = start;
  if (bytes[pos] === 91 && pos < end) {
    pos++;
    while (pos < end && IP_LITERAL[bytes[pos]!] === 1) pos++;
    if (bytes[pos] !== 93 || pos >= end || !isIpv6(bytes, start + 1, pos)) return false;
    pos++;
  } else {
    while (pos < end && REG_NAME[bytes[pos]!] === 1) pos++;
  }
  if (pos === end) return true;
  if (bytes[pos] !== 58) return false;
  if (end - pos > 6) return false;
  for (let i = pos + 1; i < end; i++) if (bytes[i]! < 48 || bytes[i]! > 57) return false;
  return pos > start;
}

/** Position where the port's colon stands, or `end`: what lies before is the host. */
export function hostEnd(bytes: Uint8Array, start: number, end: number): number {
  let pos = end;
  while (pos > start && bytes[pos - 1]! >= 48 && bytes[pos - 1]! <= 57) pos--;
  return pos > start && bytes[pos - 1] === 58 ? pos - 1 : end;
}

/** `IPv6address` of RFC 3986 §3.2.2; the bytes are those of IP_LITERAL. */
function isIpv6(bytes: Uint8Array, start: number, end: number): boolean {
  let groups = 0;
  let gapAt = -1;
  let pos = start;
  while (pos < end) {
    if (bytes[pos] === 58) {
      // A colon here is the second of "::", or the first of it at the start.
      if (gapAt !== -1 || (pos === start && bytes[++pos] !== 58)) return false;
      gapAt = groups;
      pos++;
      continue;
    }
    const from = pos;
    while (pos < end && bytes[pos] !== 58 && bytes[pos] !== 46) pos++;
    if (pos < end && bytes[pos] === 46) return isIpv4(bytes, from, end) && (gapAt === -1 ? groups === 6 : groups < 6);
    if (pos - from > 4) return false;
    groups++;
    if (pos < end && ++pos === end) return false;
  }
  return gapAt === -1 ? groups === 8 : groups < 8;
}

/** Four decimal numbers without leading zeros, up to 255. */
function isIpv4(bytes: Uint8Array, start: number, end: number): boolean {
  return /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/.test(String.fromCharCode(...bytes.subarray(start, end)));
}
