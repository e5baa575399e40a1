/**
 * A scan of field lines that knows lines it has seen before. A backend says
 * mostly the same in each answer, so a line is first held against the one that
 * came next the last time: it is the same to its last byte, and then all about
 * it is known, or it is scanned as any other (field-lines.ts). The result is
 * that of a scan, always. A known line has an id, by which an encoder of HPACK
 * finds its entry without looking at the line again.
 *
 * One for each thread and kind of head. What it holds is bounded, and no line
 * that names a user: a hit is quicker than a miss, and all clients share it.
 */
import { equalsWord } from './bytes.ts';
import { scanFieldLines, type FieldLines } from './field-lines.ts';

/** 128 KiB in all. A longer line is scanned each time. */
const LINES = 256;
const LINE_BYTES_MAX = 512;

/** What the scan stands behind, besides line `slot`: line `slot` and unknown ones, which is LINES more, the start, or the start and unknown ones. */
const AT_START = 2 * LINES;
const BEHIND_START = AT_START + 1;

const PRIVATE_NAMES = ['set-cookie', 'cookie', 'authorization', 'proxy-authorization'];

export class KnownLines {
  /** Each in its slot, with CR LF. */
  readonly #bytes = Buffer.allocUnsafeSlow(LINES * LINE_BYTES_MAX);
  readonly #view = new DataView(this.#bytes.buffer);
  // By slot. Of an empty one the length is 0; places count from the line's start.
  readonly #length = new Int32Array(LINES);
  readonly #nameEnd = new Int32Array(LINES);
  readonly #valueStart = new Int32Array(LINES);
  readonly #valueEnd = new Int32Array(LINES);
  readonly #field = new Uint8Array(LINES);
  /** Never given twice: it does not wrap as an integer of 32 bits would. */
  readonly #id = new Float64Array(LINES);
  /** Of the unknown line last seen: it is kept the second time. */
  readonly #seen = new Int32Array(LINES);
  /** The slot of the line that followed, by what the scan stood behind. */
  readonly #next = new Int32Array(BEHIND_START + 1);
  #added = 0;

  /** As scanFieldLines of bytes[start, end), whose `view` has the same places; `out.known` says which lines are known. */
  scan(view: DataView, bytes: Buffer, start: number, end: number, countMax: number, out: FieldLines): number {
    const most = countMax === 0 ? out.id.length : Math.min(countMax, out.id.length);
    let pos = start;
    let count = 0;
    let behind = AT_START;
    while (true) {
      const slot = this.#next[behind]!;
      const length = this.#length[slot]!;
      if (length !== 0 && length <= end - pos && count < most && isSame(view, pos, this.#view, slot * LINE_BYTES_MAX, length)) {
        out.nameStart[count] = pos;
        out.nameEnd[count] = pos + this.#nameEnd[slot]!;
        out.valueStart[count] = pos + this.#valueStart[slot]!;
        out.valueEnd[count] = pos + this.#valueEnd[slot]!;
        out.id[count] = this.#field[slot]!;
        out.known[count] = this.#id[slot]!;
        count++;
        pos += length;
        behind = slot;
        continue;
      }
      const next = scanFieldLines(bytes, pos, end, countMax, out, count, count + 1);
      // An error, or the empty line.
      if (next < 1 || out.count === count) return next;
      const found = this.#look(view, bytes, pos, next, out, count);
      if (found === -1) behind = behind < LINES ? behind + LINES : behind === AT_START ? BEHIND_START : behind;
      else behind = this.#next[behind] = found;
      pos = next;
      count++;
    }
  }

  /** The slot of the line in bytes[start, end), number `index` of `out`; -1: it is not known, or not yet. */
  #look(view: DataView, bytes: Buffer, start: number, end: number, out: FieldLines, index: number): number {
    const length = end - start;
    if (length > LINE_BYTES_MAX) return -1;
    const hash = sample(view, start, length);
    const slot = (hash ^ (hash >>> 15)) & (LINES - 1);
    if (this.#length[slot] !== length || !isSame(view, start, this.#view, slot * LINE_BYTES_MAX, length)) {
      const isSecond = this.#seen[slot] === hash;
      this.#seen[slot] = hash;
      if (!isSecond || isPrivate(bytes, out, index)) return -1;
      this.#keep(slot, bytes, start, end, out, index);
    }
    out.known[index] = this.#id[slot]!;
    return slot;
  }

  #keep(slot: number, bytes: Buffer, start: number, end: number, out: FieldLines, index: number): void {
    bytes.copy(this.#bytes, slot * LINE_BYTES_MAX, start, end);
    this.#length[slot] = end - start;
    this.#nameEnd[slot] = out.nameEnd[index]! - start;
    this.#valueStart[slot] = out.valueStart[index]! - start;
    this.#valueEnd[slot] = out.valueEnd[index]! - start;
    this.#field[slot] = out.id[index]!;
    this.#id[slot] = ++this.#added;
  }
}

/** A line has four bytes at least: a name of one, the colon, CR LF. */
function isSame(a: DataView, aStart: number, b: DataView, bStart: number, length: number): boolean {
  const last = length - 4;
  for (let i = 0; i < last; i += 4) if (a.getInt32(aStart + i, true) !== b.getInt32(bStart + i, true)) return false;
  return a.getInt32(aStart + last, true) === b.getInt32(bStart + last, true);
}

/** Of the bytes that lines are most likely to differ in: it only says where to look, and what is worth keeping. */
function sample(view: DataView, start: number, length: number): number {
  const last = length - 4;
  let hash = Math.imul(length, 31) + view.getInt32(start, true);
  hash = Math.imul(hash, 31) + view.getInt32(start + (last >> 1), true);
  hash = Math.imul(hash, 31) + view.getInt32(start + Math.max(0, last - 6), true);
  hash = Math.imul(hash, 31) + view.getInt32(start + Math.max(0, last - 2), true);
  return hash ^ (hash >>> 8);
}

function isPrivate(bytes: Buffer, out: FieldLines, index: number): boolean {
  return PRIVATE_NAMES.some((name) => equalsWord(bytes, out.nameStart[index]!, out.nameEnd[index]!, name));
}
