/**
 * Members of a tier that share one rate limit, in virtual time: each with the
 * bucket table of its own process and its leases, all over one memory store
 * that may answer late or not at all. Counts what each admits.
 */
import { LimitLeases, type LeasingMembership } from '../../src/control-plane/limits/limit-leases.ts';
import type { LinkPhase } from '../../src/control-plane/membership/membership.ts';
import { StoreAway, type LimitAsk } from '../../src/control-plane/store/tier-store.ts';
import { TierMemoryStore } from '../../src/control-plane/store/tier-memory-store.ts';
import type { RouteLimit } from '../../src/data-plane/limit/route-limit.ts';
import { tableTime } from '../../src/shared/backend-table.ts';
import { LimitTable } from '../../src/shared/limit-table.ts';
import type { RateLimitSpec } from '../../src/shared/snapshot.ts';
import { makeListener, makeSnapshot } from './engine.ts';
import { limitSpec, limitTable, passes, routeLimit } from './limit-rig.ts';
import { VirtualClock } from './virtual-clock.ts';

const LEASE_MS = 3_600_000;

export class LeasingMember {
  readonly id: string;
  readonly table: LimitTable;
  readonly leases: LimitLeases;
  /** Calls that were made, and the keys in each. */
  readonly calls: number[] = [];
  phase: LinkPhase = 'connected';
  readyCount: number;
  /** The store does not answer this member. */
  isCutOff = false;
  limit: RouteLimit;
  readonly #seen: LeasingMembership;
  readonly #tier: LeasingTier;

  constructor(tier: LeasingTier, index: number, members: number) {
    this.id = `member-${index}`;
    this.#tier = tier;
    this.readyCount = members;
    this.table = limitTable({ nowMs: tier.clock.monotonicMs(), sets: 512 });
    this.#seen = this.#membership();
    this.leases = new LimitLeases(tier.clock, this.table, () => this.#seen);
    this.limit = routeLimit(new LimitTable(this.table.memory, 0), tier.spec, { isShared: true });
    this.apply();
    // As the fleet does, and the whole table in a second.
    tier.clock.every(250, () => this.table.sweep(tableTime(tier.clock.monotonicMs())));
  }

  /** The tier's limit as it is now. */
  apply(): void {
    const snapshot = makeSnapshot([makeListener(0, { name: 'web', routes: [{ name: 'all', rateLimit: this.#tier.spec }] })], []);
    const none = new Int32Array(0);
    this.leases.apply({ ...snapshot, tier: { ...snapshot.tier, store: 'redis://store' } }, { listeners: new Int32Array(1), routes: new Int32Array(1), pools: none, backends: none });
    this.limit = routeLimit(new LimitTable(this.table.memory, 0), this.#tier.spec, { isShared: true });
  }

  /** How many of `count` requests of one key pass now. */
  passes(count: number, key = '10.0.0.1'): number {
    return passes(this.limit, key, this.#tier.clock.monotonicMs(), count);
  }

  #membership(): LeasingMembership {
    const seen = (): { phase: LinkPhase; reason: string } => ({ phase: this.phase, reason: '' });
    const count = (): number => this.readyCount;
    return {
      get state() {
        return seen();
      },
      get readyCount() {
        return count();
      },
      caller: () => ({ member: this.id, incarnation: 'first' }),
      store: { takeTokens: (_caller, asks) => this.#take(asks) },
    };
  }

  async #take(asks: readonly LimitAsk[]): Promise<readonly number[]> {
    const { clock, store } = this.#tier;
    this.calls.push(asks.length);
    await new Promise<void>((resolve) => clock.after(this.#tier.delayMs(), resolve));
    if (this.isCutOff) {
      await new Promise<void>((resolve) => clock.after(1000, resolve));
      throw new StoreAway('no answer in 1000 ms');
    }
    const granted = await store.takeTokens({ member: this.id, incarnation: 'first' }, asks);
    await new Promise<void>((resolve) => clock.after(this.#tier.delayMs(), resolve));
    return granted;
  }
}

export class LeasingTier {
  readonly clock = new VirtualClock();
  readonly store = new TierMemoryStore({ clock: this.clock });
  readonly members: LeasingMember[] = [];
  spec: RateLimitSpec;
  /** One way to the store. */
  delayMs: () => number = () => 1;

  private constructor(patch: Partial<RateLimitSpec>) {
    this.spec = limitSpec({ scope: 'tier', ...patch });
  }

  static async start(members: number, patch: Partial<RateLimitSpec> = {}): Promise<LeasingTier> {
    const tier = new LeasingTier(patch);
    for (let index = 0; index < members; index++) {
      await tier.clock.advance(20);
      await tier.store.join({ member: `member-${index}`, incarnation: 'first', previous: null, leaseMs: LEASE_MS, record: '{}', protocol: 1, protocolMin: 1, history: null });
      tier.members.push(new LeasingMember(tier, index, members));
    }
    // Leases stand after the first round.
    await tier.clock.advance(150);
    return tier;
  }

  stop(): void {
    for (const member of this.members) member.leases.stop();
  }
}
