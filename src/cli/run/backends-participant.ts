/**
 * Backends in a rollout: verdicts, operator states and addresses are in their
 * rows before any worker runs the config that needs them. What becomes of
 * backends afterwards is told to the event log and the log.
 */
import type { Clock } from '../../base/clock.ts';
import { systemRandom } from '../../base/random.ts';
import { Backends, type BackendsOptions } from '../../control-plane/backends.ts';
import { Programs, type ProgramsOptions } from '../../control-plane/health/programs.ts';
import type { OperatorSeal } from '../../control-plane/operator-states.ts';
import type { RolloutParticipant } from '../../control-plane/rollout/apply.ts';
import type { EventLog, EventBody } from '../../observe/event-log.ts';
import type { Log } from '../../observe/log.ts';
import type { RunningConfig } from '../../observe/metrics-source.ts';
import type { BackendTable } from '../../shared/backend-table.ts';
import type { CounterPages } from '../../shared/counter-pages.ts';
import { rowTraffic } from './row-traffic.ts';

export interface BackendsParticipantOptions {
  readonly clock: Clock;
  readonly table: BackendTable;
  readonly node: string;
  readonly stateDir: string;
  readonly events: EventLog;
  readonly log: Log;
  /** Of the workers, in whatever order. */
  readonly counters?: readonly CounterPages[];
  /** Where programs that a config names may lie; absent: nowhere. */
  readonly code?: Pick<ProgramsOptions, 'folder' | 'pluginsDir'>;
  /** Whether this proxy is isolated has changed. */
  readonly onIsolated: () => void;
}

export class BackendsParticipant implements RolloutParticipant {
  readonly #options: BackendsParticipantOptions;
  readonly #programs: Programs | null;
  #backends: Backends | null = null;
  /** Pool and address by row, of the config last committed. */
  #identities = new Map<number, { readonly pool: string; readonly address: string }>();

  constructor(options: BackendsParticipantOptions) {
    this.#options = options;
    this.#programs = options.code === undefined ? null : new Programs({ clock: options.clock, ...options.code });
  }

  /** null until it has been opened. */
  get backends(): Backends | null {
    return this.#backends;
  }

  /** Reads what this proxy has on its disk about backends, and joins: before any config runs. `seal`: of a tier with a key. */
  async open(join: BackendsOptions['join'], seal: OperatorSeal | null): Promise<void> {
    const { table, stateDir, clock, log, counters, onIsolated } = this.#options;
    const traffic = counters === undefined ? {} : { traffic: rowTraffic(counters) };
    const programs = this.#programs === null ? {} : { programs: this.#programs };
    this.#backends = await Backends.open({ table, join, stateDir, clock, random: systemRandom, log, seal, onIsolated, ...traffic, ...programs });
    this.#report(this.#backends);
  }

  prepare(): Promise<readonly string[]> {
    return Promise.resolve(this.#backends === null ? ['the file changed while this proxy started: start it again'] : []);
  }

  async commit({ snapshot, rows }: RunningConfig): Promise<void> {
    const identities = new Map<number, { pool: string; address: string }>();
    for (const pool of snapshot.pools) {
      for (const { address } of pool.backends) identities.set(rows.backends[identities.size]!, { pool: pool.name, address });
    }
    this.#identities = identities;
    await this.#backends!.apply(snapshot, rows);
  }

  abort(): void {}

  /** A worker ejected a backend for what it saw itself. */
  ejected(row: number, forMs: number, reason: string): void {
    const identity = this.#identities.get(row);
    if (identity === undefined) return;
    if (reason === 'refused') this.#backends?.refused(row);
    this.#tell('warn', 'backend ejected', { type: 'ejection', ...identity, ejected: true, forMs, reason });
  }

  /** Whoever made this proxy's place in the tier ends it. */
  stop(): void {
    this.#backends?.stop();
    this.#programs?.stop();
  }

  #report(backends: Backends): void {
    backends.onVerdict(({ pools, address, from, to, reason }) => {
      for (const pool of pools) this.#tell(to === 'down' ? 'warn' : 'info', `backend ${to}`, { type: 'verdict', pool, address, from, to, reason });
    });
    backends.onRole(({ pool, address, former, epoch, byTier }) => {
      this.#tell(address === null ? 'warn' : 'info', address === null ? 'the pool serves no primary' : 'the pool serves another primary', { type: 'primary', pool, address, former, epoch, by: byTier ? 'tier' : 'own probes' });
    });
    backends.onState(({ pool, address, state, weight, reason }) => {
      this.#tell('info', 'backend state set', { type: 'backend-state', pool, address, state, weight, reason });
    });
  }

  #tell(level: 'info' | 'warn', text: string, body: EventBody): void {
    const { type: _type, ...fields } = body;
    this.#options.events.emit(body);
    this.#options.log.write(level, text, fields);
  }
}
