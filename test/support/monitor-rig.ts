/** A monitor in virtual time and on a virtual network, whose reports come back as verdicts, as in a tier of one. */
import { inSlices } from '../../src/base/clock.ts';
import { HealthMonitor } from '../../src/control-plane/health/monitor.ts';
import type { NameSource } from '../../src/control-plane/health/prober.ts';
import type { VerdictEvent } from '../../src/control-plane/health/verdicts.ts';
import type { VerdictReport } from '../../src/control-plane/store/tier-store.ts';
import { seededRandom } from '../../src/base/random.ts';
import { BackendRig, type PoolSketch } from './backend-rig.ts';
import { LoneMembership } from './lone-membership.ts';
import { VirtualClock } from './virtual-clock.ts';
import { VirtualNetwork } from './virtual-network.ts';

export class MonitorRig {
  readonly clock = new VirtualClock();
  readonly network = new VirtualNetwork(this.clock);
  readonly backends = new BackendRig();
  readonly events: VerdictEvent[] = [];
  readonly tier = new LoneMembership(this.clock);
  /** Answers to traffic, by row. */
  readonly answers = new Map<number, number>();
  readonly failedConnects: string[] = [];
  /** Address, or why there is none; a name not in it is still being looked up. */
  readonly names = new Map<string, { readonly address: string } | { readonly failure: string }>();
  readonly monitor: HealthMonitor;

  constructor({ seed = 1, concurrencyMax }: { seed?: number; concurrencyMax?: number } = {}) {
    this.monitor = new HealthMonitor({
      clock: this.clock,
      random: seededRandom(seed),
      dial: this.network.dial,
      dialUdp: this.network.dialUdp,
      names: this.#nameSource(),
      membership: this.tier,
      roster: this.tier.roster,
      pace: () => ({ heartbeatMs: 1000, leaseMs: 3000, probers: 3 }),
      answersOf: (row) => this.answers.get(row) ?? 0,
      ...(concurrencyMax === undefined ? {} : { concurrencyMax }),
    });
    this.tier.events = { onVerdict: (check, entry) => this.monitor.acceptVerdict(check, entry) };
    this.monitor.verdicts.subscribe((event) => this.events.push(event));
  }

  apply(...sketches: readonly PoolSketch[]): void {
    void inSlices(this.monitor.apply(this.backends.place(...sketches)));
  }

  get reports(): readonly VerdictReport[] {
    return this.tier.reports;
  }

  /** `from→to` of each event so far. */
  changes(): string[] {
    return this.events.map(({ from, to }) => `${from}→${to}`);
  }

  #nameSource(): NameSource {
    return {
      addressOf: (name) => {
        const known = this.names.get(name);
        return known !== undefined && 'address' in known ? known.address : null;
      },
      failureOf: (name) => {
        const known = this.names.get(name);
        return known !== undefined && 'failure' in known ? known.failure : null;
      },
      connectFailed: (name) => void this.failedConnects.push(name),
    };
  }
}
