/**
 * All that this proxy knows and decides about backends, as one thing: verdicts
 * from probes and the store, operator states, addresses of names. The process
 * makes one, hands it each config, and asks it on behalf of the admin
 * interface. Main thread only.
 */
import { join } from 'node:path';
import { inSlices, type Clock, type SlicedWork } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { dial as systemDial, type Dial } from '../net/dial.ts';
import { NameResolver, systemLookup, type Lookup } from '../net/resolve-name.ts';
import type { Log } from '../observe/log.ts';
import type { BackendTable } from '../shared/backend-table.ts';
import type { Snapshot } from '../shared/snapshot.ts';
import type { SnapshotRows } from '../shared/thread-messages.ts';
import { BackendAddresses } from './backend-addresses.ts';
import { placeBackends } from './backend-rows.ts';
import { HealthMonitor } from './health/monitor.ts';
import type { PoolCount } from './health/pool-counts.ts';
import type { LastResult } from './health/check.ts';
import type { VerdictEvent } from './health/verdicts.ts';
import { OperatorStates, type BackendStateEvent, type OperatorChange, type OperatorOutcome } from './operator-states.ts';
import { StateFile } from './state-file.ts';
import { StoreLink } from './store/store-link.ts';
import type { OperatorEntry, Store } from './store/store.ts';

export interface BackendsOptions {
  readonly table: BackendTable;
  readonly store: Store;
  /** This proxy's id (`--node`). */
  readonly member: string;
  /** Held by this process alone. */
  readonly stateDir: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
  readonly dial?: Dial;
  readonly lookup?: Lookup;
}

/** What is known of a backend beyond its row. */
export interface BackendDetail {
  /** Wall time since which its verdict is what it is. */
  readonly sinceMs: number;
  /** Why it is, and if it is up but its last probe failed, that. */
  readonly reason: string;
  /** Of its last probe; null: none yet, or it is not probed. */
  readonly lastResult: LastResult | null;
  /** null: none, the file's state and weight hold. */
  readonly operator: OperatorEntry | null;
}

const OPERATOR_STATES_FILE = 'operator-states.json';

export class Backends {
  readonly #table: BackendTable;
  readonly #monitor: HealthMonitor;
  readonly #resolver: NameResolver;
  readonly #addresses: BackendAddresses;
  readonly #link: StoreLink;
  readonly #operatorStates: OperatorStates;
  #identities = new Map<number, { readonly pool: string; readonly address: string }>();
  #probedPools = new Set<string>();

  private constructor(options: BackendsOptions, operatorStates: OperatorStates) {
    const { clock, random, store, member, log } = options;
    this.#table = options.table;
    this.#operatorStates = operatorStates;
    this.#resolver = new NameResolver({
      clock,
      random,
      lookup: options.lookup ?? systemLookup,
      onChange: (name) => {
        this.#addresses.write(name);
        this.#monitor.nameChanged(name);
      },
    });
    this.#addresses = new BackendAddresses(this.#resolver);
    this.#monitor = new HealthMonitor({ clock, random, dial: options.dial ?? systemDial, names: this.#resolver, report: (report) => this.#link.report(report) });
    this.#link = new StoreLink({
      store,
      member,
      clock,
      random,
      listener: {
        onVerdict: (check, entry) => this.#monitor.acceptVerdict(check, entry),
        onOperatorState: (key, entry) => this.#operatorStates.accept(key, entry),
        onState: (reason) => (reason === null ? log.info('the store answers') : log.warn('the store is away: going on with what this proxy sees', { reason })),
      },
    });
    operatorStates.publishTo((entry) => this.#link.putOperatorState(entry));
    operatorStates.subscribe(({ rowNumber }) => this.#monitor.stateChanged(rowNumber));
  }

  static async open(options: BackendsOptions): Promise<Backends> {
    const { clock, log, stateDir } = options;
    const file = new StateFile(join(stateDir, OPERATOR_STATES_FILE));
    return new Backends(options, await OperatorStates.open({ clock, log, file }));
  }

  /**
   * The config that is about to run: called when every worker has prepared it
   * and before any commits, so that states, weights and addresses are there
   * when the first request asks. `rows` exist in the table; fresh ones are
   * cleared. The former config's backends that are not in it are let go.
   * Thousands of backends take several turns of the loop, and the caller waits
   * for the end before the next config.
   */
  apply(snapshot: Pick<Snapshot, 'pools'>, rows: Pick<SnapshotRows, 'pools' | 'backends'>): Promise<void> {
    return inSlices(this.#apply(snapshot, rows));
  }

  *#apply(snapshot: Pick<Snapshot, 'pools'>, rows: Pick<SnapshotRows, 'pools' | 'backends'>): SlicedWork {
    const placed = placeBackends(snapshot, rows, this.#table);
    this.#identities = new Map(placed.map(({ number, pool, backend }) => [number, { pool: pool.name, address: backend.address }]));
    this.#probedPools = new Set(snapshot.pools.filter(({ health }) => health !== null).map(({ name }) => name));
    yield* this.#operatorStates.apply(placed);
    this.#addresses.apply(placed);
    yield* this.#monitor.apply(placed);
  }

  /** A worker's connect to this row's backend failed (message `resolve`). */
  connectFailed(rowNumber: number): void {
    this.#addresses.connectFailed(rowNumber);
  }

  /** Resolves when workers can see it and it is on the disk. */
  setState(pool: string, address: string, change: OperatorChange, by: string): Promise<OperatorOutcome> {
    return this.#operatorStates.set(pool, address, change, by);
  }

  /** Of a row of the config last applied. */
  detail(rowNumber: number): BackendDetail {
    const identity = this.#identities.get(rowNumber);
    const standing = this.#monitor.verdicts.standing(rowNumber);
    const lastResult = this.#monitor.checkOf(rowNumber)?.lastResult ?? null;
    const isDoubted = lastResult?.passed === false && this.#table.backend(rowNumber).verdict === 'up';
    return {
      sinceMs: standing?.sinceMs ?? 0,
      reason: isDoubted ? lastResult.reason : (standing?.reason ?? ''),
      lastResult,
      operator: identity === undefined ? null : this.#operatorStates.get(identity.pool, identity.address),
    };
  }

  /** Of a pool's probes since the process started; null: it has none. */
  probeCounts(pool: string): PoolCount | null {
    return this.#probedPools.has(pool) ? this.#monitor.counts.of(pool) : null;
  }

  /** True when each check has a verdict or one result of its own. */
  firstVerdictsKnown(): boolean {
    for (const _address of this.#monitor.pending()) return false;
    return true;
  }

  /** Addresses, as written, whose first verdict is still out; at most `limit`. */
  pendingVerdicts(limit = 100): readonly string[] {
    const addresses = new Set<string>();
    for (const address of this.#monitor.pending()) {
      addresses.add(address);
      if (addresses.size === limit) break;
    }
    return [...addresses];
  }

  /** Told of each change after it is in the rows. Returns how to end it. */
  onVerdict(listener: (event: VerdictEvent) => void): () => void {
    return this.#monitor.verdicts.subscribe(listener);
  }

  onState(listener: (event: BackendStateEvent) => void): () => void {
    return this.#operatorStates.subscribe(listener);
  }

  /** Why the store is away; null: it answers. */
  get storeAwayReason(): string | null {
    return this.#link.awayReason;
  }

  async stop(): Promise<void> {
    this.#monitor.stop();
    this.#resolver.stop();
    await this.#link.stop();
  }
}
