/**
 * The leader's duty to raise the tier's protocol once every member speaks a
 * later one: what each says in its record, this one included. That must have
 * been so for a while, since the tier is then closed to the former release: one
 * of it that only restarts is to find its place again. The store does it only
 * while the members are those that were read here, so that nobody comes in
 * between who does not speak it. Owned by the member's calls, which say when an
 * answer left nothing to read and this member leads; nothing waits for it, and
 * what fails is tried again at the next answer.
 */
import type { Clock } from '../../base/clock.ts';
import type { Caller, StoreAnswer, TierStore } from '../store/tier-store.ts';
import type { MemberView } from './member-view.ts';

export interface ProtocolRaiseOptions {
  readonly clock: Clock;
  readonly leaseMs: () => number;
  readonly store: Pick<TierStore, 'raiseProtocol'>;
  readonly caller: () => Caller;
  readonly members: Pick<MemberView, 'members'>;
}

/** So many leases without a member that does not speak it. */
const RAISE_LEASES = 5;

export class ProtocolRaise {
  readonly #options: ProtocolRaiseOptions;
  #isAsking = false;
  /** What all speak, and since when. */
  #spoken = 0;
  #sinceMs = 0;

  constructor(options: ProtocolRaiseOptions) {
    this.#options = options;
  }

  answered({ protocol, members: { epoch } }: Pick<StoreAnswer, 'protocol' | 'members'>): void {
    const { clock, leaseMs, store, caller } = this.#options;
    const spoken = this.#spokenByAll();
    if (spoken !== this.#spoken) [this.#spoken, this.#sinceMs] = [spoken, clock.monotonicMs()];
    if (this.#isAsking || spoken <= protocol || clock.monotonicMs() - this.#sinceMs < RAISE_LEASES * leaseMs()) return;
    this.#isAsking = true;
    void store
      .raiseProtocol(caller(), spoken, epoch)
      .catch(() => false)
      .finally(() => (this.#isAsking = false));
  }

  /** 0: somebody says none. */
  #spokenByAll(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { record } of this.#options.members.members.values()) if (record.protocol < least) least = record.protocol;
    return Number.isFinite(least) ? least : 0;
  }
}
