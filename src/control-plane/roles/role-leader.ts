/**
 * The leader's part in role pools: looks at who claims to be the primary,
 * decides (next-role-step.ts) and takes the step in the store, which does
 * nothing for anyone who does not lead. It keeps no state of its own: any
 * leader goes on. One step at a time; the role keeper says when to look.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import type { Log } from '../../observe/log.ts';
import type { Membership } from '../membership/membership.ts';
import { StoreAway } from '../store/tier-store.ts';
import type { HeldRole } from './held-role.ts';
import { nextRoleStep } from './next-role-step.ts';

/** While acknowledgements are out. */
const LOOK_EVERY_MS = 50;

export interface RoleLeaderOptions {
  readonly membership: Pick<Membership, 'leads' | 'state' | 'steadyMs' | 'store' | 'caller' | 'hurry'>;
  readonly clock: Clock;
  readonly leaseMs: () => number;
  readonly roles: () => Iterable<HeldRole>;
  readonly log: Pick<Log, 'error'>;
}

export class RoleLeader {
  readonly #options: RoleLeaderOptions;
  #timer: Timer | null = null;
  #looking = false;
  #stopped = false;

  constructor(options: RoleLeaderOptions) {
    this.#options = options;
  }

  /** Claims, records, the link or who leads may have changed. */
  poke(): void {
    if (this.#looking || this.#stopped || !this.#mayLead()) return;
    if (![...this.#options.roles()].some((role) => this.#wanted(role).kind !== 'wait')) return;
    this.#looking = true;
    void this.#look().finally(() => {
      this.#looking = false;
      // What came meanwhile, and what waits for others.
      this.#timer?.cancel();
      if (!this.#stopped) this.#timer = this.#options.clock.after(LOOK_EVERY_MS, () => this.poke());
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #mayLead(): boolean {
    const { leads, state } = this.#options.membership;
    return leads && state.phase === 'connected';
  }

  /**
   * With a fence nobody may serve two, even if the store has lost writes that no
   * living member has read yet: whoever served by those stops within a lease.
   */
  #wanted(role: HeldRole): ReturnType<typeof nextRoleStep> {
    const { membership, leaseMs } = this.#options;
    if (role.isLost || (role.hasFence && membership.steadyMs < leaseMs())) return { kind: 'wait' };
    return nextRoleStep(role.stored, role.claims);
  }

  async #look(): Promise<void> {
    const { membership, log } = this.#options;
    let isChanged = false;
    try {
      for (const role of [...this.#options.roles()]) if (this.#mayLead() && (await this.#step(role))) isChanged = true;
    } catch (error) {
      // Whoever leads when the store answers again looks anew.
      if (!(error instanceof StoreAway)) log.error('a step of a role pool failed', { err: error });
    }
    if (isChanged) membership.hurry();
  }

  /** True: there is something new to be read. */
  async #step(role: HeldRole): Promise<boolean> {
    const { membership } = this.#options;
    const wanted = this.#wanted(role);
    role.waitsFor = [];
    if (wanted.kind === 'wait') return false;
    const { pool, stored } = role;
    const step = { ...membership.caller(), pool, expectedEpoch: stored?.epoch ?? 0 };
    if (wanted.kind === 'move') return (await membership.store.moveRole({ ...step, address: wanted.address })) !== 'not-leader';
    const answer = await membership.store.admitRole(step);
    if (answer.kind !== 'waits') return answer.kind !== 'not-leader';
    role.waitsFor = answer.members;
    return false;
  }
}
