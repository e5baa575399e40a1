/**
 * Role pools in this member: of each pool whose checks ask for a role one
 * backend is served, by the tier's record (store/role-records.ts):
 *
 *   1 read     a record comes; of two the later epoch stands
 *   2 serve    the rows say which backend is the one; workers cut the rest
 *   3 tell     once nothing is open to any other, the withdrawal is acknowledged
 *   4 lead     the leader admits the next (role-leader.ts), and removes records
 *              of pools that have no role any more (role-sweep.ts)
 *
 * Cut off from the store a member goes by its own probes; with a fence it stops
 * a lease after it sent its last call that was answered, by a deadline in
 * shared memory that workers read whatever becomes of this thread. Main thread
 * only; no request waits for any of it.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import type { Log } from '../../observe/log.ts';
import { isRolePool } from '../../shared/snapshot.ts';
import type { PlacedBackend } from '../backend-rows.ts';
import type { TierPace } from '../health/duty.ts';
import type { Membership } from '../membership/membership.ts';
import { ROLE_ACKS_MAX, type RoleAck, type RoleRecord } from '../store/role-records.ts';
import { HeldRole } from './held-role.ts';
import { RoleLeader } from './role-leader.ts';
import { RoleSweep } from './role-sweep.ts';

export interface RoleEvent {
  readonly pool: string;
  /** null: none is served. */
  readonly address: string | null;
  readonly former: string | null;
  /** Of the record gone by; 0: there is none. */
  readonly epoch: number;
  /** false: by this proxy's own probes. */
  readonly byTier: boolean;
}

export interface RoleKeeperOptions {
  readonly clock: Clock;
  readonly membership: Pick<Membership, 'id' | 'leads' | 'members' | 'state' | 'steadyMs' | 'store' | 'caller' | 'hurry'>;
  /** Of the running config. */
  readonly pace: () => TierPace;
  /** Wall time since which a row's verdict is what it is. */
  readonly claimedSinceMs: (rowNumber: number) => number;
  readonly log: Pick<Log, 'error'>;
  /** Another backend is served, after it is in the rows. */
  readonly onChange: (event: RoleEvent) => void;
}

/** How often it is looked whether connections to others are gone. */
const CLEAR_LOOK_MS = 20;

export class RoleKeeper {
  readonly #options: RoleKeeperOptions;
  readonly #roles = new Map<string, HeldRole>();
  /** The store's records of pools that have no role here. */
  readonly #foreign = new Map<string, RoleRecord>();
  readonly #foreignTold = new Map<string, number>();
  readonly #leader: RoleLeader;
  readonly #sweep: RoleSweep;
  #timer: Timer | null = null;
  #telling = false;
  #stopped = false;

  constructor(options: RoleKeeperOptions) {
    this.#options = options;
    const { membership, clock, pace, log } = options;
    this.#leader = new RoleLeader({ membership, clock, log, leaseMs: () => pace().leaseMs, roles: () => this.#roles.values() });
    this.#sweep = new RoleSweep({ membership, clock, leaseMs: () => pace().leaseMs, foreign: this.#foreign });
  }

  /** null: the pool has no role. */
  get(pool: string): HeldRole | null {
    return this.#roles.get(pool) ?? null;
  }

  /** Of the config that is about to run, before any worker runs it. `hasStore` false: there is nothing to be cut off from, so nothing is fenced. */
  apply(placed: readonly PlacedBackend[], hasStore: boolean): void {
    const { claimedSinceMs, clock } = this.#options;
    const byPool = new Map<string, PlacedBackend[]>();
    for (const each of placed) {
      const { pool, row, poolRow } = each;
      if (isRolePool(pool)) byPool.set(pool.name, [...(byPool.get(pool.name) ?? []), each]);
      else if (row.withdrawn) {
        row.withdrawn = false;
        poolRow.fence(null);
        poolRow.bumpEpoch();
      }
    }
    for (const [name, role] of [...this.#roles]) if (!byPool.has(name)) this.#release(name, role);
    for (const [name, rows] of byPool) {
      const role = this.#roles.get(name) ?? new HeldRole(name, { claimedSinceMs, monotonicMs: () => clock.monotonicMs() });
      this.#roles.set(name, role);
      const foreign = this.#foreign.get(name);
      if (foreign !== undefined) role.accept(foreign);
      this.#foreign.delete(name);
      role.place(rows, rows[0]!.pool.fence && hasStore);
      this.#settle(role);
    }
    this.#sweep.wantedChanged();
    this.#go();
  }

  /** Whether the config applied last is the tier's. */
  setCommitted(isCommitted: boolean): void {
    this.#sweep.setCommitted(isCommitted);
  }

  /** Whether a rollout is under way: until it ends no record is removed. */
  rolloutChanged(underWay: boolean): void {
    this.#sweep.rolloutChanged(underWay);
  }

  // 1 read
  accept(pool: string, record: RoleRecord | null): void {
    const role = this.#roles.get(pool);
    if (role === undefined) {
      if (record === null) this.#foreign.delete(pool);
      else this.#foreign.set(pool, record);
      this.#sweep.foreignSeen();
    } else {
      role.accept(record);
      this.#settle(role);
    }
    this.#go();
  }

  /** What has been read is what the store had when it answered a call sent at `sentMs` (monotonic). */
  read(sentMs: number): void {
    const { membership, pace } = this.#options;
    const { leaseMs } = pace();
    // A store that has lost writes may hold a record that others have gone beyond: until they have told it or stopped, it proves nothing.
    const isProof = membership.state.phase === 'connected' && membership.steadyMs >= leaseMs;
    for (const role of this.#roles.values()) {
      if (isProof && role.hasFence && role.isConfirmed && role.known!.phase === 'admitted') role.fenceAt(sentMs + leaseMs);
      else role.writeFence();
      this.#settle(role);
    }
    this.#go();
  }

  linkChanged(): void {
    for (const role of this.#roles.values()) this.#settle(role);
    this.#go();
  }

  /** Verdicts in these pools have changed, and are in the rows. */
  verdictsChanged(pools: readonly string[]): void {
    for (const pool of pools) {
      const role = this.#roles.get(pool);
      if (role !== undefined) this.#settle(role);
    }
    this.#leader.poke();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#leader.stop();
    this.#sweep.stop();
  }

  #release(name: string, role: HeldRole): void {
    role.release();
    this.#roles.delete(name);
    if (role.stored !== null) this.#foreign.set(name, role.stored);
  }

  // 2 serve
  #settle(role: HeldRole): void {
    const former = role.serving;
    if (!role.settle(this.#options.membership.state.phase)) return;
    this.#options.onChange({ pool: role.pool, address: role.serving, former, epoch: role.known?.epoch ?? 0, byTier: role.follows });
  }

  // 3 tell
  #go(): void {
    if (this.#stopped) return;
    const { phase } = this.#options.membership.state;
    if (phase === 'connected' || phase === 'settling') void this.#tell();
    this.#timer?.cancel();
    this.#timer = [...this.#roles.values()].some(({ isClearing }) => isClearing) ? this.#options.clock.after(CLEAR_LOOK_MS, () => this.#go()) : null;
    // 4 lead
    this.#leader.poke();
  }

  /** What has been told is told again after a heartbeat, while it is asked for: a store may lose it. */
  async #tell(): Promise<void> {
    if (this.#telling) return;
    const acks = this.#due();
    if (acks.length === 0) return;
    this.#telling = true;
    const { membership } = this.#options;
    try {
      await membership.store.acknowledgeRoles(membership.caller(), acks);
      membership.hurry();
    } catch {
      for (const { pool } of acks) this.#forgetTold(pool);
    } finally {
      this.#telling = false;
    }
  }

  #due(): RoleAck[] {
    const nowMs = this.#options.clock.monotonicMs();
    const { heartbeatMs } = this.#options.pace();
    const acks: RoleAck[] = [];
    for (const role of this.#roles.values()) {
      const { ack, told } = role;
      if (ack === null || (told !== null && told.epoch === ack.epoch && nowMs - told.atMs < heartbeatMs) || acks.length === ROLE_ACKS_MAX) continue;
      role.told = { epoch: ack.epoch, atMs: nowMs };
      acks.push(ack);
    }
    // Of a pool that has no role here nothing is withdrawn: this member's config is older, or newer, than the leader's.
    for (const [pool, { phase, epoch, address }] of this.#foreign) {
      if (phase !== 'withdrawing' || nowMs - (this.#foreignTold.get(pool) ?? Number.NEGATIVE_INFINITY) < heartbeatMs || acks.length === ROLE_ACKS_MAX) continue;
      this.#foreignTold.set(pool, nowMs);
      acks.push({ pool, epoch, address });
    }
    return acks;
  }

  #forgetTold(pool: string): void {
    this.#foreignTold.delete(pool);
    const role = this.#roles.get(pool);
    if (role !== undefined) role.told = null;
  }
}
