/**
 * Several proxies' health over one memory store, in virtual time: each with a
 * table, a monitor and a link of its own, on one network that knows who tried
 * what. A member can be cut off from backends, from the store, or killed.
 */
import { inSlices } from '../../src/base/clock.ts';
import { seededRandom } from '../../src/base/random.ts';
import { HealthMonitor } from '../../src/control-plane/health/monitor.ts';
import type { VerdictEvent } from '../../src/control-plane/health/verdicts.ts';
import { TierLink } from '../../src/control-plane/membership/tier-link.ts';
import { TierMemoryStore } from '../../src/control-plane/store/tier-memory-store.ts';
import { StoreAway, type TierStore } from '../../src/control-plane/store/tier-store.ts';
import type { Dial } from '../../src/net/dial.ts';
import { BackendRig, type PoolSketch } from './backend-rig.ts';
import { VirtualClock } from './virtual-clock.ts';
import { VirtualNetwork, type PortBehaviour } from './virtual-network.ts';

const PACE = { heartbeatMs: 1000, leaseMs: 3000, probers: 3 };

export class HealthMember {
  readonly id: string;
  readonly backends = new BackendRig();
  readonly events: VerdictEvent[] = [];
  readonly link: TierLink;
  readonly monitor: HealthMonitor;
  /** Its own way to the backends: what it meets on each port, if not what all do. */
  readonly network: VirtualNetwork;
  storeAway: string | null = null;
  killed = false;

  constructor(tier: HealthTier, id: string, seed: number) {
    const { clock } = tier;
    this.id = id;
    this.network = new VirtualNetwork(clock);
    const random = seededRandom(seed);
    const log = { warn: () => undefined, error: () => undefined };
    this.link = new TierLink({
      store: this.#storeBehind(tier.store),
      id,
      previousIncarnation: null,
      history: () => null,
      clock,
      random,
      timing: () => PACE,
      record: { zone: '', addresses: [], software: 'x', sinceMs: 0 },
      newIncarnation: () => `${id}-${random.below(1e9)}`,
      log,
      events: {
        onVerdict: (check, entry) => this.monitor.acceptVerdict(check, entry),
        onRole: () => undefined,
        onTickets: () => undefined,
        onRead: () => undefined,
        onOperatorState: () => undefined,
        onMembers: () => this.monitor.membersChanged(),
        onSuspicions: (checks) => this.monitor.suspected(checks),
        onConfig: ({ rollout }) => this.monitor.rolloutChanged(rollout !== null),
        onState: () => this.monitor.dutyChanged(),
      },
    });
    const dial: Dial = (target) => {
      const { port } = target as { port: number };
      this.network.ports.set(port, tier.seenBy(id, port));
      return this.network.dial(target);
    };
    this.monitor = new HealthMonitor({
      clock,
      random,
      dial,
      dialUdp: this.network.dialUdp,
      names: { addressOf: () => null, failureOf: () => null, connectFailed: () => undefined },
      membership: this.link,
      pace: () => PACE,
    });
    this.monitor.verdicts.subscribe((event) => this.events.push(event));
    this.link.setState('ready');
  }

  apply(...sketches: readonly PoolSketch[]): void {
    void inSlices(this.monitor.apply(this.backends.place(...sketches)));
  }

  verdictOf(address: string): string {
    return this.backends.row('web', address).verdict;
  }

  /** As a process that is gone: nothing of it runs any more, and nobody is told. */
  kill(): void {
    this.killed = true;
    this.storeAway = 'killed';
    this.monitor.stop();
    void this.link.stop();
  }

  /** A worker's connect was refused. */
  refuse(address: string): void {
    this.monitor.refused(this.backends.numberOf('web', address));
  }

  #storeBehind(store: TierStore): TierStore {
    return new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        if (name === 'subscribe') {
          const subscribe = target.subscribe.bind(target);
          return (onHint: Parameters<TierStore['subscribe']>[0]) => subscribe((hint) => (this.storeAway === null ? onHint(hint) : undefined));
        }
        return (...args: unknown[]): unknown => (this.storeAway === null ? Reflect.apply(value, target, args) : Promise.reject(new StoreAway(this.storeAway)));
      },
    });
  }
}

export class HealthTier {
  readonly clock = new VirtualClock();
  readonly store = new TierMemoryStore({ clock: this.clock, random: seededRandom(1) });
  readonly members: HealthMember[] = [];
  /** What all members meet on a port. */
  readonly ports = new Map<number, PortBehaviour>();
  /** Members that meet silence on every port. */
  readonly cutOff = new Set<string>();
  readonly #seed: number;

  constructor(count: number, { seed = 1 }: { seed?: number } = {}) {
    this.#seed = seed;
    for (let i = 0; i < count; i++) this.add();
  }

  add(): HealthMember {
    const member = new HealthMember(this, `m${this.members.length}`, this.#seed * 1000 + this.members.length);
    this.members.push(member);
    return member;
  }

  get alive(): HealthMember[] {
    return this.members.filter(({ killed }) => !killed);
  }

  seenBy(member: string, port: number): PortBehaviour {
    return this.cutOff.has(member) ? 'silent' : (this.ports.get(port) ?? 'accept');
  }

  apply(...sketches: readonly PoolSketch[]): void {
    for (const member of this.alive) member.apply(...sketches);
  }

  /** Times at which `port` was tried by anyone since `fromMs`. */
  probesOf(port: number, fromMs = 0): { readonly member: string; readonly atMs: number }[] {
    return this.members
      .flatMap(({ id, network }) => network.timesOf(port).map((atMs) => ({ member: id, atMs })))
      .filter(({ atMs }) => atMs >= fromMs)
      .sort((a, b) => a.atMs - b.atMs);
  }

  /** Members that probed `port` in the last `withinMs`. */
  probersOf(port: number, withinMs = 1100): string[] {
    return [...new Set(this.probesOf(port, this.clock.monotonicMs() - withinMs).map(({ member }) => member))].sort();
  }

  /** Milliseconds until `done`; throws after a minute. */
  async until(done: () => boolean, stepMs = 1): Promise<number> {
    const fromMs = this.clock.monotonicMs();
    while (!done()) {
      if (this.clock.monotonicMs() - fromMs > 60_000) throw new Error('not within a minute');
      await this.clock.advance(stepMs);
    }
    return this.clock.monotonicMs() - fromMs;
  }

  async stop(): Promise<void> {
    for (const { monitor } of this.alive) monitor.stop();
    const stopped = Promise.all(this.alive.map(({ link }) => link.stop()));
    await this.clock.advance(2000);
    await stopped;
    await this.store.close();
  }
}
