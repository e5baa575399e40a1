/**
 * Backends in a rollout: verdicts, operator states and addresses are in their
 * rows before any worker runs the config that needs them. What becomes of
 * backends afterwards is told to the event log and the log.
 */
import type { Clock } from '../../base/clock.ts';
import { systemRandom } from '../../base/random.ts';
import { Backends } from '../../control-plane/backends.ts';
import type { RolloutParticipant } from '../../control-plane/rollout/apply.ts';
import { storeDefinition } from '../../control-plane/store/registry.ts';
import type { EventLog, EventBody } from '../../observe/event-log.ts';
import type { Log } from '../../observe/log.ts';
import type { RunningConfig } from '../../observe/metrics-source.ts';
import type { BackendTable } from '../../shared/backend-table.ts';

export interface BackendsParticipantOptions {
  readonly clock: Clock;
  readonly table: BackendTable;
  readonly node: string;
  readonly stateDir: string;
  readonly events: EventLog;
  readonly log: Log;
}

export class BackendsParticipant implements RolloutParticipant {
  readonly #options: BackendsParticipantOptions;
  #backends: Backends | null = null;
  /** Pool and address by row, of the config last committed. */
  #identities = new Map<number, { readonly pool: string; readonly address: string }>();

  constructor(options: BackendsParticipantOptions) {
    this.#options = options;
  }

  /** null until the first config is prepared. */
  get backends(): Backends | null {
    return this.#backends;
  }

  /** `tier.store` is fixed at start, so the first config opens it for good. */
  async prepare({ snapshot }: RunningConfig): Promise<readonly string[]> {
    if (this.#backends !== null) return [];
    const definition = storeDefinition(snapshot.tier.store);
    if (definition === undefined) return [`tier.store ${snapshot.tier.store} is not built yet`];
    const { table, node, stateDir, clock, log } = this.#options;
    const store = definition.open(snapshot.tier.store);
    this.#backends = await Backends.open({ table, store, member: node, stateDir, clock, random: systemRandom, log });
    this.#report(this.#backends);
    return [];
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
    this.#tell('warn', 'backend ejected', { type: 'ejection', ...identity, ejected: true, forMs, reason });
  }

  async stop(): Promise<void> {
    await this.#backends?.stop();
  }

  #report(backends: Backends): void {
    backends.onVerdict(({ pools, address, from, to, reason }) => {
      for (const pool of pools) this.#tell(to === 'down' ? 'warn' : 'info', `backend ${to}`, { type: 'verdict', pool, address, from, to, reason });
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
