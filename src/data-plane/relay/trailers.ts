/** The trailer section of a chunked body (RFC 9112 §7.1.2): what of it may pass. */
import { FieldLines, scanFieldLines } from '../parse/field-lines.ts';
import { mayTrail, mustNotTrail } from './hop-headers.ts';

const lines = new FieldLines();

/**
 * `section` is field lines with their empty line. Returns the same with only
 * what may pass, or null if the message must be refused for it: it is malformed,
 * or has a field that frames or routes. `nominated`: names that the message's
 * Connection lists, or null.
 */
export function filterTrailers(section: Buffer, nominated: ReadonlySet<string> | null = null): Buffer | null {
  if (scanFieldLines(section, 0, section.length, 0, lines) < 1) return null;
  const kept: Buffer[] = [];
  for (let i = 0; i < lines.count; i++) {
    if (mustNotTrail(lines, i)) return null;
    if (!mayTrail(section, lines, i, nominated)) continue;
    const end = i + 1 < lines.count ? lines.nameStart[i + 1]! : section.length - 2;
    kept.push(section.subarray(lines.nameStart[i], end));
  }
  kept.push(Buffer.from('\r\n'));
  return Buffer.concat(kept);
}
