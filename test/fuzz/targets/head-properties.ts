/**
 * What holds of both head parsers whatever the bytes: the result depends on
 * bytes[start, end) alone, and pieces give what the whole gives.
 */
import { PartialHead } from '../../../src/data-plane/listen/partial-head.ts';
import { INCOMPLETE } from '../../../src/data-plane/parse/bytes.ts';
import { demand, demandSame } from './target.ts';

export interface Outcome {
  /** As the parser gave it, positions counted from the start. */
  readonly result: number;
  /** All that was read, if a head was. */
  readonly text: string;
}

/** Parses bytes[start, end). */
export type Parse = (bytes: Buffer, start: number, end: number) => Outcome;

const POISONS = ['\r\n\r\n', 'a: b\r\n\r\n', ' HTTP/1.1\r\n\r\n', '0', '\xff\0'];
const OFFSET = 37;
/** Of longer inputs not every prefix is tried. */
const PREFIXES_MAX = 100;

export function checkHeadParser(parse: Parse, input: Buffer): Outcome {
  const outcome = parse(input, 0, input.length);
  demand(outcome.result <= input.length, `claims ${outcome.result} of ${input.length} bytes`);
  checkSurroundings(parse, input, outcome);
  checkPrefixes(parse, input, outcome);
  return outcome;
}

/** What stands before the start and behind the end must not matter. */
function checkSurroundings(parse: Parse, input: Buffer, outcome: Outcome): void {
  for (const poison of POISONS) {
    const bytes = Buffer.concat([Buffer.alloc(OFFSET, poison, 'latin1'), input, Buffer.alloc(OFFSET, poison, 'latin1')]);
    const before = Buffer.from(bytes);
    const other = parse(bytes, OFFSET, OFFSET + input.length);
    demandSame(other.result, outcome.result, `another result between ${JSON.stringify(poison)}`);
    demandSame(other.text, outcome.text, `another reading between ${JSON.stringify(poison)}`);
    demand(bytes.equals(before), 'the parser wrote into its input');
  }
}

/** A prefix, with other bytes behind it, is incomplete or has the whole's own fate: what was accepted or refused stays so. */
function checkPrefixes(parse: Parse, input: Buffer, outcome: Outcome): void {
  const { result } = outcome;
  const step = Math.max(1, Math.floor(input.length / PREFIXES_MAX));
  const bytes = Buffer.alloc(input.length + 8, 'Z');
  let isRefused = false;
  for (let length = 0; length <= input.length; length += step) {
    input.copy(bytes, Math.max(0, length - step), Math.max(0, length - step), length);
    const prefix = parse(bytes, 0, length);
    if (result > INCOMPLETE) {
      demandSame(prefix.result, length < result ? INCOMPLETE : result, `accepted at ${result}, but of its first ${length} bytes`);
      if (length >= result) demandSame(prefix.text, outcome.text, `read otherwise from ${length} bytes`);
    } else if (result === INCOMPLETE) demandSame(prefix.result, INCOMPLETE, `incomplete, but of its first ${length} bytes`);
    else {
      demand(prefix.result <= INCOMPLETE, `refused with ${result}, but its first ${length} bytes are accepted`);
      demand(!isRefused || prefix.result < INCOMPLETE, `refused before, and at ${length} bytes again incomplete`);
      isRefused ||= prefix.result < INCOMPLETE;
    }
  }
}

/** Fed in reads of `pieceBytes` through what a connection keeps of a head: the same end. */
export function checkPieces(parse: Parse, input: Buffer, outcome: Outcome, pieceBytes: number, bytesMax: number): void {
  const { result } = outcome;
  let partial: PartialHead | null = null;
  for (let at = 0; at < input.length; at += pieceBytes) {
    const piece = input.subarray(at, Math.min(input.length, at + pieceBytes));
    const whole: Buffer | null = partial === null ? piece : partial.add(piece, bytesMax);
    if (whole === null) continue;
    const found = parse(whole, 0, whole.length);
    if (found.result === INCOMPLETE) {
      partial = new PartialHead(whole, 0, whole.length);
      continue;
    }
    demand(found.result < INCOMPLETE ? result < INCOMPLETE : found.result === result, `${result} at once, ${found.result} in pieces of ${pieceBytes}`);
    if (result > INCOMPLETE) demandSame(found.text, outcome.text, `read otherwise in pieces of ${pieceBytes}`);
    return;
  }
  demand(result <= INCOMPLETE, `accepted at once, never whole in pieces of ${pieceBytes}`);
}

/** The first `length` bytes of `input` as text. */
export function textOf(input: Buffer, length = input.length): string {
  return input.toString('latin1', 0, length);
}
