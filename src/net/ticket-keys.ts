/**
 * Session tickets sealed with the keys that all workers share, and in a tier
 * all members. The runtime has a way to ask for the key of each ticket, which is
 * how a rotation leaves the tickets of before good; it is not part of what it
 * documents. A runtime without it goes on with keys that each context makes for
 * itself: a client then resumes only where it was before.
 */
import { randomBytes } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { SEALING_GENERATION, type TicketKey, type TicketMemory } from '../shared/ticket-memory.ts';

/** How long a session may be taken up again; two generations of keys at least. */
export const SESSION_S = 7200;

const IV_BYTES = 16;
/** Asking for random bytes costs more than their number, and every handshake makes two tickets. */
const IVS_AT_ONCE = 64;

/** What becomes of a ticket: it is not ours, it is good, it is good and a new one is made. */
const ANSWER = { unknown: 0, good: 1, renew: 2 } as const;

type Answer = readonly [answer: number, seal: Buffer, content: Buffer] | readonly [answer: number, seal: Buffer, content: Buffer, name: Buffer, iv: Buffer];

interface AskingContext {
  enableTicketKeyCallback?: () => void;
  onticketkeycallback?: (name: Buffer, iv: Buffer, seals: boolean) => Answer;
}

/** Whether this runtime asks for the key of each ticket, as `serve` needs it. Without, a key of ours is of no use to it. */
export function asksForTicketKeys(made: SecureContext = createSecureContext()): boolean {
  return typeof (made.context as AskingContext).enableTicketKeyCallback === 'function';
}

export class TicketKeys {
  readonly #memory: TicketMemory;
  #sequence = -1;
  #keys: readonly TicketKey[] = [];
  #ivs = Buffer.alloc(0);

  constructor(memory: TicketMemory) {
    this.#memory = memory;
  }

  /** Its tickets are ours from now on. False: this runtime does not ask. */
  serve(made: SecureContext): boolean {
    if (!asksForTicketKeys(made)) return false;
    const asking = made.context as AskingContext;
    asking.enableTicketKeyCallback!();
    asking.onticketkeycallback = (name, _iv, seals) => (seals ? this.#sealing() : this.#opening(name));
    return true;
  }

  #sealing(): Answer {
    const { name, seal, content } = this.#current()[SEALING_GENERATION]!;
    return [ANSWER.good, seal, content, name, this.#iv()];
  }

  /** Never the same twice. */
  #iv(): Buffer {
    if (this.#ivs.length === 0) this.#ivs = randomBytes(IV_BYTES * IVS_AT_ONCE);
    const iv = this.#ivs.subarray(0, IV_BYTES);
    this.#ivs = this.#ivs.subarray(IV_BYTES);
    return iv;
  }

  #opening(name: Buffer): Answer {
    const keys = this.#current();
    const at = keys.findIndex((key) => key.name.equals(name));
    const { seal, content } = keys[Math.max(at, 0)]!;
    return [at === -1 ? ANSWER.unknown : at <= SEALING_GENERATION ? ANSWER.good : ANSWER.renew, seal, content];
  }

  /** In the moment of a rotation those of before, which are all still good but one. */
  #current(): readonly TicketKey[] {
    const { sequence } = this.#memory;
    if (sequence === this.#sequence) return this.#keys;
    let keys = this.#memory.read();
    while (keys === null && this.#keys.length === 0) keys = this.#memory.read();
    if (keys !== null) {
      this.#keys = keys;
      this.#sequence = sequence;
    }
    return this.#keys;
  }
}
