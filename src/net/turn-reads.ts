/**
 * Small reads of one turn of the loop, handed on together when all sockets of
 * the turn have been read. Read from read-from.ts alone; one for each thread.
 *
 * A read dealt with at once runs the kernel's receiving half, the runtime, all
 * of ours and the kernel's sending half in turn. All reads first, then all
 * requests, takes 3 % less CPU at full load (docs/decisions/0007-small-reads-together.md). With few
 * reads a turn there is nothing to share, and the end of the turn costs a call
 * of its own: then reads are handed on at once, and gathering is tried again
 * from time to time.
 */

/** Whoever gave a read to be handed on later. */
export interface ReadGatherer {
  handOn(bytes: Buffer): void;
}

/** Fewer reads in a turn are not worth the end of it. */
const WORTHWHILE_READS = 4;
/** So many reads are then handed on at once before gathering is tried again. */
const AT_ONCE_READS = 256;
/** A larger read is cold before its turn comes, and is a body. */
const GATHERED_BYTES_MAX = 4 * 1024;

let gatherers: ReadGatherer[] = [];
let reads: Buffer[] = [];
let atOnceLeft = 0;

/** True if `bytes` will be handed on at the end of this turn; false: now is as good. */
export function gather(gatherer: ReadGatherer, bytes: Buffer): boolean {
  if (bytes.length > GATHERED_BYTES_MAX) return false;
  if (atOnceLeft > 0) {
    atOnceLeft--;
    return false;
  }
  if (reads.length === 0) setImmediate(endTurn);
  gatherers.push(gatherer);
  reads.push(bytes);
  return true;
}

function endTurn(): void {
  // Handed on already, for one of them had more to say.
  if (reads.length === 0) return;
  if (reads.length < WORTHWHILE_READS) atOnceLeft = AT_ONCE_READS;
  handOnGathered();
}

/** Hands on what has been gathered, in order. */
export function handOnGathered(): void {
  const from = gatherers;
  const bytes = reads;
  gatherers = [];
  reads = [];
  for (let i = 0; i < bytes.length; i++) from[i]!.handOn(bytes[i]!);
}
