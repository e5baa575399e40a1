/**
 * The keys that session tickets are sealed with, in memory that all threads
 * share: the current one, which seals, and two before it, which still open.
 * The main thread writes, at each rotation; workers read whatever is there when
 * a ticket comes, so a client resumes in any worker. A key that has rotated out
 * is overwritten, and what it sealed cannot be opened again.
 */
export const TICKET_GENERATIONS = 3;

/** A name by which a ticket tells its key, a key for its seal (HMAC-SHA-256), one for its content (AES-128). */
const PART_BYTES = 16;
const KEY_BYTES = 3 * PART_BYTES;
const SEQUENCE_BYTES = 8;

export interface TicketKey {
  readonly name: Buffer;
  readonly seal: Buffer;
  readonly content: Buffer;
}

export class TicketMemory {
  readonly memory: SharedArrayBuffer;
  /** Odd while a rotation is under way. */
  readonly #sequence: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#sequence = new Int32Array(memory, 0, 1);
    this.#bytes = new Uint8Array(memory, SEQUENCE_BYTES);
  }

  /** `fill` puts random bytes into what it is given. Every generation has a key from the start. */
  static create(fill: (bytes: Uint8Array) => void): TicketMemory {
    const made = new TicketMemory(new SharedArrayBuffer(SEQUENCE_BYTES + TICKET_GENERATIONS * KEY_BYTES));
    for (let i = 0; i < TICKET_GENERATIONS; i++) made.rotate(fill);
    return made;
  }

  /** Changes with each rotation. */
  get sequence(): number {
    return Atomics.load(this.#sequence, 0);
  }

  rotate(fill: (bytes: Uint8Array) => void): void {
    const key = new Uint8Array(KEY_BYTES);
    fill(key);
    Atomics.add(this.#sequence, 0, 1);
    this.#bytes.copyWithin(KEY_BYTES, 0, (TICKET_GENERATIONS - 1) * KEY_BYTES);
    this.#bytes.set(key);
    Atomics.add(this.#sequence, 0, 1);
    key.fill(0);
  }

  /** Newest first; null: a rotation is under way this moment. */
  read(): readonly TicketKey[] | null {
    const before = this.sequence;
    if (before % 2 !== 0) return null;
    const copy = Buffer.from(Uint8Array.from(this.#bytes));
    if (this.sequence !== before) return null;
    return Array.from({ length: TICKET_GENERATIONS }, (_, i): TicketKey => {
      const part = (n: number): Buffer => copy.subarray(i * KEY_BYTES + n * PART_BYTES, i * KEY_BYTES + (n + 1) * PART_BYTES);
      return { name: part(0), seal: part(1), content: part(2) };
    });
  }
}
