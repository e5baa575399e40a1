/**
 * The keys of session tickets of this proxy, from its start to its end:
 *
 *   own    made here and replaced here: without a store, without a tier key,
 *          and until the tier's are read
 *   tier   those of the record in the store, the same in all members
 *
 * The leader alone makes the tier's: the first ones, and a rotation when they
 * are due. A rotation makes a key that is to come and puts the one that was to
 * come in use, so that no member ever meets a ticket whose key it has not had
 * for a whole rotation. A record that is missing, cannot be opened or is far
 * too old is not taken, and the leader puts its own in its place.
 *
 * With the store away everything stays as it is; keys that nobody has replaced
 * for KEPT_ROTATIONS are then given up for own ones, so that no key is in use
 * for ever. Main thread only, and no handshake waits for any of it.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import type { Log } from '../../observe/log.ts';
import { newTicketKeys, rotatedTicketKeys, type FillRandomly, type TicketMemory } from '../../shared/ticket-memory.ts';
import type { Membership } from '../membership/membership.ts';
import { ticketsSha } from '../store/ticket-records.ts';
import { StoreAway } from '../store/tier-store.ts';
import { openRecord, sealRecord, type TicketSeal } from './ticket-record.ts';

/** A ticket lives for two of them. */
export const TICKET_ROTATION_MS = 3_600_000;
const KEPT_ROTATIONS = 24;
const LOOK_EVERY_MS = 1000;
const COMPLAIN_EVERY_MS = 60_000;

export interface TicketKeeperOptions {
  readonly clock: Clock;
  readonly memory: TicketMemory;
  readonly fill: FillRandomly;
  readonly rotationMs: number;
  /** The runtime uses the keys in `memory` (net/ticket-keys.ts); false: each worker has others, which nobody can share. */
  readonly areUsed: boolean;
  /** A listener of the running config gives tickets. */
  readonly isWanted: () => boolean;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
}

/** The part of the tier that keys need. */
export type TicketMembership = Pick<Membership, 'leads' | 'state' | 'caller' | 'hurry' | 'tierMs'> & { readonly store: Pick<Membership['store'], 'putTickets'> };

export interface TicketTier {
  readonly membership: TicketMembership;
  /** null: there is no tier key, and nothing is shared. */
  readonly seal: TicketSeal | null;
}

export interface TicketState {
  readonly keys: 'own' | 'tier';
  /** Why they are not the tier's; '' if they are, or there is no tier. */
  readonly reason: string;
}

interface Known {
  readonly keys: Uint8Array;
  /** How old they were at `readMs` (monotonic). */
  readonly ageMs: number;
  readonly readMs: number;
}

export class TicketKeeper {
  readonly #options: TicketKeeperOptions;
  #tier: TicketTier | null = null;
  /** The record as the store has it, read or not. */
  #stored: string | null = null;
  #fault = '';
  /** As last taken from the store; null: never, or given up. */
  #known: Known | null = null;
  #ownSinceMs: number;
  #putting = false;
  #saidUnshared = false;
  #complainedMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | null = null;

  constructor(options: TicketKeeperOptions) {
    this.#options = options;
    this.#ownSinceMs = options.clock.monotonicMs();
  }

  start(): void {
    this.#timer ??= this.#options.clock.every(LOOK_EVERY_MS, () => this.#look());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#tier = null;
  }

  /** This proxy has a place in a tier with a store. */
  join(tier: TicketTier): void {
    this.#tier = tier;
  }

  /** The store's record, as read; null: it has none. */
  accept(text: string | null): void {
    this.#stored = text;
    this.#fault = text === null ? 'the tier has no keys yet' : this.#take(text);
    if (text !== null && this.#fault !== '') this.#complain();
    this.poke();
  }

  /** The link, or who leads, may have changed. */
  poke(): void {
    if (!this.#putting && this.#mayLead()) void this.#lead();
  }

  get state(): TicketState {
    if (this.#tier === null) return { keys: 'own', reason: '' };
    const unshared = this.#whyUnshared;
    if (unshared !== '') return { keys: 'own', reason: unshared };
    if (this.#known !== null) return { keys: 'tier', reason: '' };
    return { keys: 'own', reason: this.#fault || 'the tier has no keys yet' };
  }

  /** '': they are shared, or there is no tier. */
  get #whyUnshared(): string {
    if (this.#tier === null) return '';
    if (!this.#options.areUsed) return 'this runtime takes no keys of ours';
    return this.#tier.seal === null ? 'there is no tier key' : '';
  }

  #look(): void {
    const { clock, memory, fill, rotationMs, isWanted, log } = this.#options;
    const unshared = this.#whyUnshared;
    if (unshared !== '' && !this.#saidUnshared && isWanted()) {
      this.#saidUnshared = true;
      log.info('session tickets are good at this proxy alone', { reason: unshared });
    }
    if (this.#known !== null && this.#ageOf(this.#known) >= KEPT_ROTATIONS * rotationMs) {
      log.warn('session tickets get keys of this proxy alone', { reason: 'nobody has replaced those of the tier for long' });
      this.#fault = 'nobody has replaced the keys of the tier for long';
      this.#known = null;
      this.#ownSinceMs = Number.NEGATIVE_INFINITY;
    }
    if (this.#known === null && clock.monotonicMs() - this.#ownSinceMs >= rotationMs) {
      memory.rotate(fill);
      this.#ownSinceMs = clock.monotonicMs();
    }
    this.poke();
  }

  /** '': taken. Else why not. */
  #take(text: string): string {
    const { clock, memory, rotationMs, log } = this.#options;
    const seal = this.#tier?.seal ?? null;
    if (seal === null || this.#whyUnshared !== '') return '';
    const record = openRecord(text, seal);
    if (record === null) return 'they are not sealed by the tier key';
    const ageMs = this.#tier!.membership.tierMs() - record.madeMs;
    // One from the future was made before the store began anew, and brought back by somebody.
    if (ageMs >= KEPT_ROTATIONS * rotationMs || ageMs < -rotationMs) return 'they are of another time';
    if (this.#known === null) log.info('session tickets are good at all members of the tier');
    this.#known = { keys: record.keys, ageMs: Math.max(0, ageMs), readMs: clock.monotonicMs() };
    memory.replace(record.keys);
    return '';
  }

  #complain(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#complainedMs < COMPLAIN_EVERY_MS) return;
    this.#complainedMs = nowMs;
    this.#options.log.warn('the keys of session tickets in the store are not taken', { reason: this.#fault });
  }

  #ageOf({ ageMs, readMs }: Known): number {
    return ageMs + this.#options.clock.monotonicMs() - readMs;
  }

  #mayLead(): boolean {
    const membership = this.#tier?.membership;
    return membership !== undefined && this.#tier!.seal !== null && this.#whyUnshared === '' && membership.leads && membership.state.phase === 'connected';
  }

  /** The text that is to be in the store; undefined: the one that is there. */
  #wanted(): string | null | undefined {
    const { fill, rotationMs, isWanted } = this.#options;
    const { membership, seal } = this.#tier!;
    if (!isWanted()) return this.#stored === null ? undefined : null;
    const known = this.#known;
    const isDue = known !== null && this.#ageOf(known) >= rotationMs;
    if (this.#stored !== null && this.#fault === '' && known !== null && !isDue) return undefined;
    const tierMs = membership.tierMs();
    if (known !== null && !isDue) return sealRecord({ madeMs: tierMs - this.#ageOf(known), keys: known.keys }, seal!);
    return sealRecord({ madeMs: tierMs, keys: known === null ? newTicketKeys(fill) : rotatedTicketKeys(known.keys, fill) }, seal!);
  }

  /** It is read back like any other change: the leader is not ahead of the rest. */
  async #lead(): Promise<void> {
    const text = this.#wanted();
    if (text === undefined) return;
    const { membership } = this.#tier!;
    this.#putting = true;
    try {
      await membership.store.putTickets({ ...membership.caller(), expectedSha: ticketsSha(this.#stored), text });
      membership.hurry();
    } catch (error) {
      // Whoever leads when the store answers again looks anew.
      if (!(error instanceof StoreAway)) this.#options.log.error('the keys of session tickets could not be put into the store', { err: error });
    } finally {
      this.#putting = false;
    }
  }
}
