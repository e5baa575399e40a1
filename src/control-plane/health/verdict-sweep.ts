/**
 * The leader's duty to forget verdicts that no config asks for any more: of
 * backends that left it and of those that an operator has disabled, so that one
 * that returns is judged anew. Others may still run the former config, so the
 * wish must have stood for a lease, and no rollout be under way; a tier of one
 * has nobody to wait for. A verdict forgotten in error comes back by itself:
 * its probers send again what the store has lost.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import type { Membership } from '../membership/membership.ts';
import type { VerdictEntry } from '../store/entry-texts.ts';
import type { TierPace } from './duty.ts';

export interface VerdictSweepOptions {
  readonly clock: Clock;
  readonly pace: () => TierPace;
  readonly membership: Pick<Membership, 'leads' | 'members' | 'state' | 'store' | 'caller' | 'hurry'>;
  /** What the tier holds. */
  readonly held: ReadonlyMap<string, VerdictEntry>;
  readonly isWanted: (check: string) => boolean;
}

/** Checks of one step. */
const FORGOTTEN_MAX = 500;

export class VerdictSweep {
  readonly #options: VerdictSweepOptions;
  #timer: Timer | null = null;
  #onHold = false;
  #stopped = false;

  constructor(options: VerdictSweepOptions) {
    this.#options = options;
  }

  /** Until it is taken back nothing is forgotten. */
  setHeld(onHold: boolean): void {
    this.#onHold = onHold;
    this.wantedChanged();
  }

  /** Something may not be wanted any more. */
  wantedChanged(): void {
    this.#timer?.cancel();
    this.#arm(this.#options.membership.members.size <= 1 ? 0 : this.#options.pace().leaseMs);
  }

  /** The tier holds something that is not wanted here. */
  unwantedSeen(): void {
    if (this.#timer === null) this.wantedChanged();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #arm(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.after(delayMs, () => {
      this.#timer = null;
      void this.#sweep();
    });
  }

  async #sweep(): Promise<void> {
    const { held, isWanted, membership, pace } = this.#options;
    const unwanted: string[] = [];
    for (const check of held.keys()) {
      if (!isWanted(check)) unwanted.push(check);
      if (unwanted.length === FORGOTTEN_MAX) break;
    }
    if (unwanted.length === 0) return;
    // Whoever leads when it matters sees to it, so everyone looks again.
    if (membership.leads && membership.state.phase === 'connected' && !this.#onHold) {
      // A store that is away changes nothing: the next look comes anyway.
      await membership.store.forget(membership.caller(), unwanted).catch(() => false);
      membership.hurry();
    }
    if (this.#timer === null) this.#arm(pace().leaseMs);
  }
}
