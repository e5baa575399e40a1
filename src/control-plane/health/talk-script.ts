/**
 * What a probe and a backend say to each other, as a script: a generator that
 * yields what it needs (`yield* say(…)`, `yield* read(…)`) and returns how the
 * attempt ended. Pure: no socket, no clock; probe-talk.ts plays it over a
 * connection, tests and fuzz over bytes cut anywhere. A script sees whole
 * messages only, so its end cannot depend on how the bytes were cut.
 *
 * A script holds these:
 * - what cannot be understood is `throw new BadAnswer('…')`, from any depth;
 *   every other exception is a bug;
 * - whatever a length field of the peer claims is bounded before it is believed;
 * - work that takes more than a fraction of a millisecond (password hashes) is
 *   `compute`, and bounded by the script whatever the peer asks for;
 * - words of the peer's go into `said`, which stands behind the reason, and never
 *   into the reason itself. In `said` they may be as they are: who plays the
 *   script masks the secrets, drops control characters, and shortens. Our own
 *   words are not masked, or a password such as "wrong" would show by its gap.
 */

export type TalkEnd =
  | {
      readonly passed: true;
      /** Sent before the connection is closed. */
      readonly goodbye?: Buffer;
    }
  | {
      readonly passed: false;
      /** Our own words. */
      readonly reason: string;
      /** Words of the backend's. */
      readonly said?: string;
      readonly goodbye?: Buffer;
    };

/** How long the message at the start of `bytes` is; 0: not whole yet. Asked again with each read, so it looks at little. */
export type Framing = (bytes: Buffer) => number;

export type TalkStep =
  | { readonly kind: 'say'; readonly bytes: Buffer }
  | { readonly kind: 'read'; readonly framing: Framing; readonly lacks: string | null }
  /** Everything from here on is in TLS, over the same connection. */
  | { readonly kind: 'secure' }
  /** `later` beside a connection, off this thread; `now` where there is none. Both come to the same. */
  | { readonly kind: 'compute'; readonly later: () => Promise<unknown>; readonly now: () => unknown };

/** A script, or a part of one that comes to a `Result`. */
export type Talk<Result = TalkEnd> = Generator<TalkStep, Result, unknown>;

/** The backend's answer cannot be understood. The message is the reason, and holds no word of the backend's. */
export class BadAnswer extends Error {}

export function* say(bytes: Buffer | string): Talk<void> {
  yield { kind: 'say', bytes: typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : bytes };
}

/** The next whole message, a view that nobody else holds. `lacks`: the reason, if it never comes. */
export function* read(framing: Framing, lacks: string | null = null): Talk<Buffer> {
  return (yield { kind: 'read', framing, lacks }) as Buffer;
}

/** Both sides have agreed on it: nothing in the clear may be waiting to be read. */
export function* secure(): Talk<void> {
  yield { kind: 'secure' };
}

export function* compute<Result>(work: { readonly later: () => Promise<Result>; readonly now: () => Result }): Talk<Result> {
  return (yield { kind: 'compute', ...work }) as Result;
}

export function failed(reason: string, said = '', goodbye?: Buffer): TalkEnd {
  return goodbye === undefined ? { passed: false, reason, said } : { passed: false, reason, said, goodbye };
}

/** A message of so many bytes. */
export function exactly(count: number): Framing {
  return (bytes) => (bytes.length >= count ? count : 0);
}

/** A line with its line feed; one longer than `bytesMax` is no line of the protocol's. */
export function line(bytesMax: number): Framing {
  return (bytes) => {
    const end = bytes.subarray(0, bytesMax).indexOf(0x0a) + 1;
    if (end === 0 && bytes.length >= bytesMax) throw new BadAnswer('malformed answer: a line has no end');
    return end;
  };
}

/** A message whose first `headBytes` bytes tell its whole length, of `bytesMax` at most. */
export function framed(headBytes: number, bytesMax: number, lengthOf: (bytes: Buffer) => number): Framing {
  return (bytes) => {
    if (bytes.length < headBytes) return 0;
    const length = lengthOf(bytes);
    if (!(length >= headBytes && length <= bytesMax)) throw new BadAnswer(`malformed answer: a message of ${length} bytes`);
    return bytes.length >= length ? length : 0;
  };
}

/** How a run stands: `more`: bytes are needed; `secure`: call `secured` when TLS is spoken; `compute`: call `computed` with what the work came to. */
export type RunState = { readonly is: 'more' } | { readonly is: 'secure' } | { readonly is: 'compute'; readonly step: TalkStep & { kind: 'compute' } } | { readonly is: 'end'; readonly end: TalkEnd };

const MORE: RunState = { is: 'more' };
const SECURE: RunState = { is: 'secure' };

/** One run of a script over bytes as they come. */
export class TalkRun {
  readonly #talk: Talk;
  readonly #bytesMax: number;
  readonly #say: (bytes: Buffer) => void;
  #step: TalkStep | null = null;
  /** Received and not read yet: [start, end) of a buffer that doubles, so that single bytes are not copied each time. */
  #received = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  /** Received in all. */
  #receivedBytes = 0;
  #isOver = false;

  constructor(talk: Talk, bytesMax: number, say: (bytes: Buffer) => void) {
    this.#talk = talk;
    this.#bytesMax = bytesMax;
    this.#say = say;
  }

  /** Goes up to the first step that has to wait. */
  begin(): RunState {
    return this.#advance(undefined);
  }

  feed(bytes: Buffer): RunState {
    if (this.#isOver) return MORE;
    const taken = bytes.subarray(0, this.#bytesMax - this.#receivedBytes);
    this.#receivedBytes += taken.length;
    this.#append(taken);
    const state = this.#step?.kind === 'read' ? this.#readOn() : MORE;
    return state.is === 'more' && taken.length < bytes.length ? this.#fail(this.#lacking(`answer is larger than ${this.#bytesMax} bytes`)) : state;
  }

  computed(result: unknown): RunState {
    return this.#isOver ? MORE : this.#advance(result);
  }

  secured(): RunState {
    return this.#isOver ? MORE : this.#advance(undefined);
  }

  /** No more bytes will come. */
  close(): RunState {
    if (this.#isOver || this.#step?.kind === 'compute') return MORE;
    const isCut = this.#end > this.#start;
    if (this.#step?.kind === 'secure') return this.#fail('closed instead of going on in TLS');
    return this.#fail(this.#lacking(isCut ? 'closed in the middle of its answer' : 'closed before it answered'));
  }

  #lacking(otherwise: string): string {
    return (this.#step?.kind === 'read' ? this.#step.lacks : null) ?? otherwise;
  }

  #append(bytes: Buffer): void {
    const length = this.#end - this.#start;
    if (this.#received.length - this.#end < bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(256, 2 * (length + bytes.length)));
      this.#received.copy(larger, 0, this.#start, this.#end);
      this.#received = larger;
      this.#start = 0;
      this.#end = length;
    }
    this.#end += bytes.copy(this.#received, this.#end);
  }

  #readOn(): RunState {
    return this.#guard(() => {
      const message = this.#takeMessage();
      return message === null ? MORE : this.#play(message);
    });
  }

  #advance(result: unknown): RunState {
    return this.#guard(() => this.#play(result));
  }

  /** A loop, not a recursion: what has been received may hold very many messages. */
  #play(result: unknown): RunState {
    let given = result;
    while (true) {
      const next = this.#talk.next(given);
      if (next.done === true) return this.#over(next.value);
      const step = (this.#step = next.value);
      if (step.kind === 'compute') return { is: 'compute', step };
      if (step.kind === 'secure') return this.#secure();
      if (step.kind === 'say') {
        this.#say(step.bytes);
        given = undefined;
        continue;
      }
      const message = this.#takeMessage();
      if (message === null) return MORE;
      given = message;
    }
  }

  /** What somebody in between has put there must not pass for what was said in TLS. */
  #secure(): RunState {
    if (this.#end > this.#start) throw new BadAnswer('malformed answer: it goes on in the clear after it agreed on TLS');
    return SECURE;
  }

  /** What the read that waits is for; null: it is not whole yet. */
  #takeMessage(): Buffer | null {
    const { framing } = this.#step as TalkStep & { kind: 'read' };
    const length = framing(this.#received.subarray(this.#start, this.#end));
    if (length === 0) return null;
    const message = this.#received.subarray(this.#start, this.#start + length);
    this.#start += length;
    return message;
  }

  #guard(turn: () => RunState): RunState {
    try {
      return turn();
    } catch (error) {
      this.#isOver = true;
      if (error instanceof BadAnswer) return this.#fail(error.message);
      throw error;
    }
  }

  #fail(reason: string): RunState {
    return this.#over(failed(reason));
  }

  #over(end: TalkEnd): RunState {
    this.#isOver = true;
    return { is: 'end', end };
  }
}
