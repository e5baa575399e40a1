/** A monitor in virtual time and on a virtual network, whose reports come back as verdicts, as in a tier of one. */
import { inSlices } from '../../src/base/clock.ts';
import { HealthMonitor, type NameSource } from '../../src/control-plane/health/monitor.ts';
import type { VerdictEvent } from '../../src/control-plane/health/verdicts.ts';
import type { VerdictReport } from '../../src/control-plane/store/store.ts';
import { seededRandom } from '../../src/base/random.ts';
import { BackendRig, type PoolSketch } from './backend-rig.ts';
import { VirtualClock } from './virtual-clock.ts';
import { VirtualNetwork } from './virtual-network.ts';

export class MonitorRig {
  readonly clock = new VirtualClock();
  readonly network = new VirtualNetwork(this.clock);
  readonly backends = new BackendRig();
  readonly events: VerdictEvent[] = [];
  readonly reports: VerdictReport[] = [];
  readonly failedConnects: string[] = [];
  /** Address, or why there is none; a name not in it is still being looked up. */
  readonly names = new Map<string, { readonly address: string } | { readonly failure: string }>();
  readonly monitor: HealthMonitor;

  constructor({ seed = 1, concurrencyMax }: { seed?: number; concurrencyMax?: number } = {}) {
    this.monitor = new HealthMonitor({
      clock: this.clock,
      random: seededRandom(seed),
      dial: this.network.dial,
      names: this.#nameSource(),
      report: (report) => this.#onReport(report),
      ...(concurrencyMax === undefined ? {} : { concurrencyMax }),
    });
    this.monitor.verdicts.subscribe((event) => this.events.push(event));
  }

  apply(...sketches: readonly PoolSketch[]): void {
    void inSlices(this.monitor.apply(this.backends.place(...sketches)));
  }

  /** `from→to` of each event so far. */
  changes(): string[] {
    return this.events.map(({ from, to }) => `${from}→${to}`);
  }

  #onReport(report: VerdictReport): void {
    this.reports.push(report);
    const { check, verdict, reason, atMs } = report;
    queueMicrotask(() => this.monitor.acceptVerdict(check, verdict === null ? null : { check, verdict, reason, atMs }));
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
