/**
 * The keys that session tickets are sealed with, in memory that all threads
 * share: one to come, which opens already, so that whoever is late to a
 * rotation takes the tickets of those who are not; the current one, which
 * seals; and two before it, which still open. The main thread writes; workers
 * read whatever is there when a ticket comes, so a client resumes in any
 * worker. A key that has rotated out is overwritten, and what it sealed cannot
 * be opened again.
 */
export const TICKET_GENERATIONS = 4;
/** Of those, newest first, the one that seals. */
export const SEALING_GENERATION = 1;

/** A name by which a ticket tells its key, a key for its seal (HMAC-SHA-256), one for its content (AES-128). */
const PART_BYTES = 16;
const KEY_BYTES = 3 * PART_BYTES;
/** Of all generations, newest first. */
export const TICKET_KEYS_BYTES = TICKET_GENERATIONS * KEY_BYTES;
const SEQUENCE_BYTES = 8;

export interface TicketKey {
  readonly name: Buffer;
  readonly seal: Buffer;
  readonly content: Buffer;
}

/** Puts random bytes into what it is given. */
export type FillRandomly = (bytes: Uint8Array) => void;

export class TicketMemory {
  readonly memory: SharedArrayBuffer;
  /** Odd while a change is under way. */
  readonly #sequence: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#sequence = new Int32Array(memory, 0, 1);
    this.#bytes = new Uint8Array(memory, SEQUENCE_BYTES);
  }

  /** Every generation has a key from the start. */
  static create(fill: FillRandomly): TicketMemory {
    const made = new TicketMemory(new SharedArrayBuffer(SEQUENCE_BYTES + TICKET_KEYS_BYTES));
    const keys = newTicketKeys(fill);
    made.replace(keys);
    keys.fill(0);
    return made;
  }

  /** Changes with each change of the keys. */
  get sequence(): number {
    return Atomics.load(this.#sequence, 0);
  }

  rotate(fill: FillRandomly): void {
    const keys = rotatedTicketKeys(this.#bytes, fill);
    this.replace(keys);
    keys.fill(0);
  }

  /** `keys`: TICKET_KEYS_BYTES of them. */
  replace(keys: Uint8Array): void {
    Atomics.add(this.#sequence, 0, 1);
    this.#bytes.set(keys);
    Atomics.add(this.#sequence, 0, 1);
  }

  /** Newest first; null: a change is under way this moment. */
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

export function newTicketKeys(fill: FillRandomly): Uint8Array {
  const keys = new Uint8Array(TICKET_KEYS_BYTES);
  fill(keys);
  return keys;
}

/** A new one to come; the one that was to come is the current one now, and the oldest is gone. */
export function rotatedTicketKeys(keys: Uint8Array, fill: FillRandomly): Uint8Array {
  const rotated = new Uint8Array(TICKET_KEYS_BYTES);
  fill(rotated.subarray(0, KEY_BYTES));
  rotated.set(keys.subarray(0, TICKET_KEYS_BYTES - KEY_BYTES), KEY_BYTES);
  return rotated;
}
