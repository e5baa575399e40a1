/**
 * The leader's duty to remove the store's records of pools that have no role any
 * more. Whoever still runs a config in which such a pool has its role goes by
 * the record, so the wish must have stood for a lease, no rollout be under way,
 * and each living member have said that it runs the same config. A record
 * removed in error comes back: who goes by it tells the store.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import { parseBeside } from '../membership/beside.ts';
import type { Membership } from '../membership/membership.ts';
import type { RoleRecord } from '../store/role-records.ts';

export interface RoleSweepOptions {
  readonly clock: Clock;
  readonly leaseMs: () => number;
  readonly membership: Pick<Membership, 'id' | 'leads' | 'members' | 'state' | 'store' | 'caller' | 'hurry'>;
  /** The store's records of pools that have no role here. */
  readonly foreign: ReadonlyMap<string, RoleRecord>;
}

/** Members that the store is asked about at once. */
const BESIDE_MAX = 500;

export class RoleSweep {
  readonly #options: RoleSweepOptions;
  #timer: Timer | null = null;
  #isCommitted = true;
  #isRollingOut = false;
  #stopped = false;

  constructor(options: RoleSweepOptions) {
    this.#options = options;
  }

  /** Whether the config applied last is the tier's. */
  setCommitted(isCommitted: boolean): void {
    this.#isCommitted = isCommitted;
    this.wantedChanged();
  }

  rolloutChanged(underWay: boolean): void {
    this.#isRollingOut = underWay;
    this.wantedChanged();
  }

  /** A config was applied, or may be: the wish has to stand anew. */
  wantedChanged(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.foreignSeen();
  }

  /** There may be a record of a pool that has no role. */
  foreignSeen(): void {
    const { clock, leaseMs, foreign } = this.#options;
    if (this.#timer !== null || this.#stopped || foreign.size === 0) return;
    this.#timer = clock.after(leaseMs(), () => {
      this.#timer = null;
      // Whoever leads when it matters sees to it, so everyone looks again.
      void this.#sweep().then(() => this.foreignSeen());
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** A store that is away changes nothing: the next look comes anyway. */
  async #sweep(): Promise<void> {
    const { membership, foreign } = this.#options;
    try {
      if (!this.#mayRemove() || !(await this.#allRunTheSame())) return;
      for (const [pool, { phase, epoch }] of [...foreign]) {
        if (!this.#mayRemove() || foreign.get(pool)?.epoch !== epoch) continue;
        const step = { ...membership.caller(), pool, expectedEpoch: epoch };
        // While it is withdrawing members tell that they have done so, and a word that is late would bring back what is gone.
        if (phase === 'withdrawing') await membership.store.admitRole(step);
        else await membership.store.moveRole({ ...step, address: null });
      }
      membership.hurry();
    } catch {
      // Nothing was lost by it.
    }
  }

  #mayRemove(): boolean {
    const { leads, state } = this.#options.membership;
    return !this.#stopped && leads && state.phase === 'connected' && this.#isCommitted && !this.#isRollingOut;
  }

  async #allRunTheSame(): Promise<boolean> {
    const { id, members, store } = this.#options.membership;
    const ids = [...new Set([id, ...members.keys()])];
    if (ids.length === 1) return true;
    const shas = new Set<string | undefined>();
    for (let from = 0; from < ids.length; from += BESIDE_MAX) {
      const asked = ids.slice(from, from + BESIDE_MAX);
      const besides = await store.beside(asked);
      for (const member of asked) shas.add(parseBeside(besides.get(member)).config?.sha);
    }
    return shas.size === 1 && !shas.has(undefined);
  }
}
