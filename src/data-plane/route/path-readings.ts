/**
 * The ways a path can be read. Programs behind a proxy do not agree on what
 * `/public/%2e%2e/admin` names, so a route that is chosen by one reading can be
 * walked around by another. A path is therefore routed by each of its readings,
 * and they have to agree:
 *
 * 1. as sent;
 * 2. resolved: percent-encoded unreserved characters (RFC 3986 §2.3) and slashes
 *    decoded, once; backslashes, plain or encoded, taken for slashes, as Windows
 *    and browsers do; empty segments merged; dot segments resolved.
 *
 * Some programs, servlet containers above all, cut what follows a `;` off each
 * segment of a path before they look at it (RFC 3986 §3.3 calls it a
 * parameter): to them `/public/..;/admin` is `/admin`. A path with one is also
 * read without (docs/decisions/0005-path-parameters-are-a-reading.md):
 *
 * 3. each `;…` cut off up to the next slash, then resolved, or not;
 * 4. decoded, escaped semicolons too, then each `;…` cut off, then resolved.
 *
 * Where `..` follows an empty segment it matters which of the last two steps
 * comes first (`/a//../b` is `/b` for a file system, `/a/b` by RFC 3986 §5.2.4),
 * and both orders are in use: such a path has both as readings, wherever it is
 * resolved.
 *
 * Other escapes stay as they are (`%20`, `%25`: nothing is decoded twice), and a
 * percent sign that begins no escape stands for itself.
 */

const SLASH = 0x2f;
const BACKSLASH = 0x5c;
const DOT = 0x2e;
const PERCENT = 0x25;
const SEMICOLON = 0x3b;

/** False: the path has one reading. What RouteQuery.pathMayReadTwoWays promises, for those who hold a string. */
export function mayReadTwoWays(path: string): boolean {
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code === PERCENT || code === BACKSLASH || code === SEMICOLON) return true;
    if (code !== SLASH) continue;
    const next = path.charCodeAt(i + 1);
    if (next === SLASH) return true;
    if (next === DOT && isDotSegment(path, i + 1)) return true;
  }
  return false;
}

/** True if the segment that starts at `at` is `.` or `..`. */
function isDotSegment(path: string, at: number): boolean {
  const end = path.charCodeAt(at + 1) === DOT ? at + 2 : at + 1;
  return end === path.length || path.charCodeAt(end) === SLASH || path.charCodeAt(end) === BACKSLASH;
}

/** Every distinct reading, the one as sent first. A path that does not begin with a slash (`*`) has one. Linear in its length. */
export function pathReadings(path: string): readonly string[] {
  if (path.charCodeAt(0) !== SLASH || !mayReadTwoWays(path)) return [path];
  const readings = [path];
  const decoded = decodePath(path);
  addResolved(readings, decoded);
  if (ANY_SEMICOLON.test(path)) addWithoutParameters(readings, path, decoded);
  return readings;
}

const ANY_SEMICOLON = /;|%3b/i;

function addWithoutParameters(readings: string[], path: string, decoded: string): void {
  const cut = withoutParameters(path);
  add(readings, cut);
  addResolved(readings, decodePath(cut));
  addResolved(readings, withoutParameters(decodeSemicolons(decoded)));
}

/** Both orders of merging and resolving, where they differ. */
function addResolved(readings: string[], decoded: string): void {
  add(readings, resolveDots(mergeSlashes(decoded)));
  if (decoded.includes('//') && decoded.includes('/..')) add(readings, mergeSlashes(resolveDots(decoded)));
}

function add(readings: string[], reading: string): void {
  if (!readings.includes(reading)) readings.push(reading);
}

/** What is left when everything but parameters is resolved, empty segments first. Resolving it again changes nothing. */
export function resolvePath(path: string): string {
  if (path.charCodeAt(0) !== SLASH || !mayReadTwoWays(path)) return path;
  return resolveDots(mergeSlashes(decodePath(path)));
}

/** The path with one meaning: without parameters, and resolved. It has no other reading. */
export function barePath(path: string): string {
  if (path.charCodeAt(0) !== SLASH || !mayReadTwoWays(path)) return path;
  return resolveDots(mergeSlashes(withoutParameters(decodeSemicolons(decodePath(path)))));
}

function decodeSemicolons(decoded: string): string {
  return decoded.includes('%') ? decoded.replace(/%3b/gi, ';') : decoded;
}

/** Each segment up to its first semicolon. */
function withoutParameters(path: string): string {
  return path.includes(';') ? path.replace(/;[^/]*/g, '') : path;
}

/** Step one: escapes of unreserved characters and slashes, and backslashes. */
function decodePath(path: string): string {
  if (!path.includes('%') && !path.includes('\\')) return path;
  let out = '';
  let copied = 0;
  // Where, in the output, the last percent sign stands that begins no escape.
  let strayAt = -3;
  const flush = (to: number): void => {
    out += path.slice(copied, to);
  };
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code === BACKSLASH) {
      flush(i);
      out += '/';
      copied = i + 1;
    } else if (code === PERCENT) {
      const value = escapedByte(path, i);
      if (value === -1) {
        strayAt = out.length + i - copied;
        continue;
      }
      // `%2%65` must not become `%2e`, an escape that nobody sent.
      const behindStray = out.length + i - copied - strayAt;
      // Between them a digit can only be one as sent: a decoded one would have stood at 1 itself.
      const completesStray = hexDigit(value) !== -1 && (behindStray === 1 || (behindStray === 2 && i > copied && hexDigit(path.charCodeAt(i - 1)) !== -1));
      if (isUnreserved(value) && !completesStray) {
        flush(i);
        out += String.fromCharCode(value);
        copied = i + 3;
      } else if (value === SLASH || value === BACKSLASH) {
        flush(i);
        out += '/';
        copied = i + 3;
      }
      i += 2;
    }
  }
  flush(path.length);
  return out;
}

/** The byte that the escape at `at` stands for; -1 if it is none. */
function escapedByte(path: string, at: number): number {
  const high = hexDigit(path.charCodeAt(at + 1));
  const low = hexDigit(path.charCodeAt(at + 2));
  return high === -1 || low === -1 ? -1 : high * 16 + low;
}

/** Value of a hexadecimal digit's character code; -1 for any other (NaN, past the end, too). */
export function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function isUnreserved(code: number): boolean {
  const lower = code | 0x20;
  if (lower >= 0x61 && lower <= 0x7a) return true;
  return (code >= 0x30 && code <= 0x39) || code === 0x2d || code === DOT || code === 0x5f || code === 0x7e;
}

function mergeSlashes(path: string): string {
  return path.includes('//') ? path.replace(/\/{2,}/g, '/') : path;
}

/** RFC 3986 §5.2.4, segment by segment: the same result, in one pass. */
function resolveDots(path: string): string {
  if (!path.includes('/.')) return path;
  const kept: string[] = [];
  const segments = path.split('/');
  const lastIndex = segments.length - 1;
  for (let i = 1; i <= lastIndex; i++) {
    const segment = segments[i]!;
    if (segment !== '.' && segment !== '..') {
      kept.push(segment);
      continue;
    }
    if (segment === '..') kept.pop();
    // A dot segment at the end names a folder: its slash stays.
    if (i === lastIndex) kept.push('');
  }
  return `/${kept.join('/')}`;
}
