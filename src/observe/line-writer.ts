/**
 * Whole lines to a file or to stdout, never waited for. The caller writes a
 * line into `bytes` at `used` after `reserve`, and says how long it was with
 * `commit`. Buffers leave in order, one write at a time. Only whole lines are
 * given to one write call and files are opened with O_APPEND, so lines of two
 * writers of one file do not mix. If the disk stalls, at most `heldBytesMax`
 * are kept; then `reserve` refuses and the line is counted as dropped.
 *
 * One owner, one thread. No timers: `tick` is called by the owner.
 */
import { close, closeSync, constants, fstatSync, openSync, write } from 'node:fs';

export const LINE_BUFFER_BYTES = 128 * 1024;

/** A pipe takes this much in one piece whatever its state (PIPE_BUF on Linux); more may mix with other writers. */
export const PIPE_BYTES_MAX = 4096;

const FLUSH_PERIOD_MS = 1000;

export type LineTarget = { readonly path: string } | { readonly fd: number };

interface Filled {
  readonly kind: 'filled';
  readonly buffer: Buffer;
  start: number;
  readonly end: number;
  readonly lines: number;
}
type Step = Filled | { readonly kind: 'reopen' } | { readonly kind: 'close'; readonly done: () => void };

export class LineWriter {
  /** Where the next line goes, from `used` on. Changes with `reserve`. */
  bytes: Buffer;
  used = 0;
  /** Largest line that cannot be torn; LINE_BUFFER_BYTES for a file. */
  readonly lineBytesMax: number;

  readonly #target: LineTarget;
  readonly #report: (text: string, fields: Readonly<Record<string, unknown>>) => void;
  readonly #buffersMax: number;
  readonly #steps: Step[] = [];
  readonly #free: Buffer[] = [];
  #fd: number;
  #buffers = 1;
  #lines = 0;
  #busy = false;
  #closed = false;
  #flushedAtMs = 0;
  #dropped = 0;
  #droppedReported = 0;
  #trouble: string | null = null;

  /** Opens at once; throws the system's error if that fails. `report` is for the log. */
  constructor(target: LineTarget, report: (text: string, fields: Readonly<Record<string, unknown>>) => void, heldBytesMax = 4 * 1024 * 1024) {
    this.#target = target;
    this.#report = report;
    this.#buffersMax = Math.max(2, Math.floor(heldBytesMax / LINE_BUFFER_BYTES));
    this.#fd = openTarget(target);
    this.lineBytesMax = fstatSync(this.#fd).isFile() ? LINE_BUFFER_BYTES : PIPE_BYTES_MAX;
    this.bytes = Buffer.allocUnsafeSlow(LINE_BUFFER_BYTES);
  }

  /** Lines that were not written, since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Room for one line of at most `bytesMax`; false: it is dropped, and counted. */
  reserve(bytesMax: number): boolean {
    if (this.used + bytesMax <= LINE_BUFFER_BYTES) return true;
    if (bytesMax > LINE_BUFFER_BYTES || !this.#turnOver()) {
      this.#dropped += 1;
      return false;
    }
    return true;
  }

  /** A line now ends at `end`. */
  commit(end: number): void {
    this.used = end;
    this.#lines += 1;
  }

  /** Call it some times a second: what is held leaves about once a second, and what went wrong is reported. */
  tick(nowMs: number): void {
    if (nowMs - this.#flushedAtMs < FLUSH_PERIOD_MS) return;
    this.#flushedAtMs = nowMs;
    // While a write is under way the buffer fills on: a stalled disk must not use up one buffer a second.
    if (!this.#busy && this.#steps.length === 0) this.#turnOver();
    else this.#pump();
    if (this.#dropped > this.#droppedReported || this.#trouble !== null) {
      this.#report('access log lines were dropped', { dropped: this.#dropped - this.#droppedReported, reason: this.#trouble ?? 'the file takes no more' });
      this.#droppedReported = this.#dropped;
      this.#trouble = null;
    }
  }

  /** What was committed so far goes to the open file, everything after to the one then found at the path. */
  reopen(): void {
    if (this.#closed || 'fd' in this.#target) return;
    this.#queueCurrent();
    this.#steps.push({ kind: 'reopen' });
    this.#pump();
  }

  /** Resolves when everything committed has been written or given up. */
  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    return new Promise((done) => {
      this.#queueCurrent();
      this.#steps.push({ kind: 'close', done });
      this.#pump();
    });
  }

  /** Queues the current buffer and takes a fresh one; false if none may be had. */
  #turnOver(): boolean {
    if (this.#free.length === 0 && this.#buffers >= this.#buffersMax) return false;
    this.#queueCurrent();
    this.#pump();
    return true;
  }

  #queueCurrent(): void {
    if (this.#lines === 0) return;
    this.#steps.push({ kind: 'filled', buffer: this.bytes, start: 0, end: this.used, lines: this.#lines });
    const free = this.#free.pop();
    if (free === undefined) this.#buffers += 1;
    this.bytes = free ?? Buffer.allocUnsafeSlow(LINE_BUFFER_BYTES);
    this.used = 0;
    this.#lines = 0;
  }

  #pump(): void {
    const step = this.#steps[0];
    if (this.#busy || step === undefined) return;
    this.#busy = true;
    if (step.kind === 'filled') this.#write(step);
    else if (step.kind === 'reopen') this.#reopenNow();
    else this.#closeNow(step.done);
  }

  #stepDone(): void {
    this.#steps.shift();
    this.#busy = false;
    this.#pump();
  }

  #write(step: Filled): void {
    write(this.#fd, step.buffer, step.start, this.#pieceBytes(step), null, (error, written) => {
      if (error !== null) {
        this.#writeFailed(step, error);
        return;
      }
      step.start += written;
      if (step.start < step.end) {
        this.#write(step);
        return;
      }
      this.#free.push(step.buffer);
      this.#stepDone();
    });
  }

  /** All of it to a file; to anything else as many whole lines as it takes in one piece. */
  #pieceBytes(step: Filled): number {
    const left = step.end - step.start;
    if (left <= this.lineBytesMax) return left;
    const lineEnd = step.buffer.lastIndexOf(10, step.start + this.lineBytesMax - 1);
    return lineEnd >= step.start ? lineEnd + 1 - step.start : Math.min(left, this.lineBytesMax);
  }

  #writeFailed(step: Filled, error: NodeJS.ErrnoException): void {
    if (error.code === 'EAGAIN' && !this.#closed) {
      // A pipe that is full and does not block: the next tick tries again.
      this.#busy = false;
      return;
    }
    this.#dropped += step.lines;
    this.#trouble = error.message;
    this.#free.push(step.buffer);
    this.#stepDone();
  }

  #reopenNow(): void {
    const former = this.#fd;
    try {
      this.#fd = openTarget(this.#target);
    } catch (error) {
      // Better the renamed file than none.
      this.#report('the access log could not be reopened; the former file is still written', { reason: String(error) });
      this.#stepDone();
      return;
    }
    close(former, () => this.#stepDone());
  }

  #closeNow(done: () => void): void {
    if ('path' in this.#target) closeSync(this.#fd);
    this.#stepDone();
    done();
  }
}

function openTarget(target: LineTarget): number {
  if ('fd' in target) return target.fd;
  return openSync(target.path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o640);
}
