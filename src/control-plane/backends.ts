/**
 * All that this proxy knows and decides about backends, as one thing: verdicts
 * from probes and the tier, operator states, addresses of names. The process
 * makes one, hands it each config, and asks it on behalf of the admin
 * interface. The tier is heard through `join`, whose maker also ends it. Main
 * thread only.
 */
import { join } from 'node:path';
import { inSlices, type Clock, type SlicedWork } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { dialUdp as systemDialUdp, type DialUdp } from '../net/dial-udp.ts';
import { dial as systemDial, type Dial } from '../net/dial.ts';
import { NameResolver, systemLookup, type Lookup } from '../net/resolve-name.ts';
import type { Log } from '../observe/log.ts';
import type { RoleStatus } from '../observe/metrics-source.ts';
import type { BackendTable } from '../shared/backend-table.ts';
import type { Snapshot } from '../shared/snapshot.ts';
import type { SnapshotRows } from '../shared/thread-messages.ts';
import { BackendAddresses } from './backend-addresses.ts';
import { drainProgress, placeBackends } from './backend-rows.ts';
import type { LastResult } from './health/check.ts';
import type { TierPace } from './health/duty.ts';
import { HealthMonitor } from './health/monitor.ts';
import type { Programs } from './health/programs.ts';
import type { PoolCount } from './health/pool-counts.ts';
import { presentReason, type RowCheck } from './health/row-verdict.ts';
import type { VerdictEvent } from './health/verdicts.ts';
import { parseBeside, type Beside } from './membership/beside.ts';
import type { LinkState, Membership, MembershipEvents } from './membership/membership.ts';
import { operatorKey, type OperatorEntry } from './operator-entry.ts';
import { OperatorStates, type BackendStateEvent, type OperatorChange, type OperatorOutcome, type OperatorSeal } from './operator-states.ts';
import { RoleKeeper, type RoleEvent } from './roles/role-keeper.ts';
import { StateFile } from './state-file.ts';
import { tierDrain, type TierDrain } from './tier-drain.ts';

/** What a backend's row has seen of this proxy's traffic (counter pages). */
export interface RowTraffic {
  /** Grows with each answer it gives. */
  answers(rowNumber: number): number;
  /** Connections to it that are open and at rest. */
  idleConnections(rowNumber: number): number;
}

export interface BackendsOptions {
  readonly table: BackendTable;
  /** Gives this proxy's place in its tier; tells `events` from a later turn of the loop on. The caller ends it. */
  readonly join: (events: MembershipEvents) => Membership;
  /** Held by this process alone. */
  readonly stateDir: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
  readonly traffic?: RowTraffic;
  /** null: the tier has no key. */
  readonly seal?: OperatorSeal | null;
  /** `isolated` is another than before. */
  readonly onIsolated?: () => void;
  readonly dial?: Dial;
  readonly dialUdp?: DialUdp;
  /** What `exec` probes run with. The caller ends it. Absent: they run nothing. */
  readonly programs?: Programs;
  readonly lookup?: Lookup;
}

/** What is known of a backend beyond its row. */
export interface BackendDetail {
  /** Wall time since which its verdict is what it is. */
  readonly sinceMs: number;
  /** Why it is, as the last probe has it. */
  readonly reason: string;
  /** Members whose reports decided its verdict; empty: none did. */
  readonly by: readonly string[];
  /** Of its last probe by this proxy, of several checks one that failed; null: none yet, or it is not probed here. */
  readonly lastResult: LastResult | null;
  /** null: none, the file's state and weight hold. */
  readonly operator: OperatorEntry | null;
}

const OPERATOR_STATES_FILE = 'operator-states.json';
/** Until the first config says otherwise: the defaults of the config's `tier`. */
const FIRST_PACE: TierPace = { heartbeatMs: 1000, leaseMs: 3000, probers: 3 };
/** Draining backends that are told of at each heartbeat; of further ones members are said to be unheard. */
const DRAINING_MAX = 200;
/** Members that the store is asked about at once. */
const BESIDE_MAX = 500;

export class Backends {
  readonly #options: BackendsOptions;
  readonly #table: BackendTable;
  readonly #monitor: HealthMonitor;
  readonly #resolver: NameResolver;
  readonly #addresses: BackendAddresses;
  readonly #operatorStates: OperatorStates;
  readonly #membership: Membership;
  readonly #roles: RoleKeeper;
  readonly #roleListeners = new Set<(event: RoleEvent) => void>();
  #identities = new Map<number, { readonly pool: string; readonly address: string }>();
  #probedPools = new Set<string>();
  #pace = FIRST_PACE;
  #wasAway = false;
  #phase: LinkState['phase'] = 'joining';

  private constructor(options: BackendsOptions, operatorStates: OperatorStates) {
    const { clock, random, traffic } = options;
    this.#options = options;
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
    const membership = options.join(this.#events());
    this.#membership = membership;
    this.#monitor = new HealthMonitor({
      clock,
      random,
      dial: options.dial ?? systemDial,
      dialUdp: options.dialUdp ?? systemDialUdp,
      programs: options.programs,
      names: this.#resolver,
      membership,
      pace: () => this.#pace,
      ...(traffic === undefined ? {} : { answersOf: (row) => traffic.answers(row) }),
      onIsolated: (isolated) => this.#onIsolated(isolated),
    });
    this.#roles = new RoleKeeper({
      clock,
      membership,
      pace: () => this.#pace,
      claimedSinceMs: (row) => this.#monitor.verdicts.standing(row)?.sinceMs ?? 0,
      log: options.log,
      onChange: (event) => this.#roleListeners.forEach((listener) => listener(event)),
    });
    this.#monitor.verdicts.subscribe(({ pools }) => this.#roles.verdictsChanged(pools));
    operatorStates.publishTo((entry) => membership.putOperatorState(entry));
    operatorStates.subscribe(({ rowNumber }) => this.#monitor.stateChanged(rowNumber));
  }

  static async open(options: BackendsOptions): Promise<Backends> {
    const { clock, log, stateDir, seal = null } = options;
    const file = new StateFile(join(stateDir, OPERATOR_STATES_FILE));
    return new Backends(options, await OperatorStates.open({ clock, log, file, seal }));
  }

  /**
   * The config that is about to run: called when every worker has prepared it
   * and before any commits, so that states, weights and addresses are there
   * when the first request asks. `rows` exist in the table; fresh ones are
   * cleared. The former config's backends that are not in it are let go.
   * Thousands of backends take several turns of the loop, and the caller waits
   * for the end before the next config.
   */
  apply(snapshot: AppliedSnapshot, rows: AppliedRows): Promise<void> {
    return inSlices(this.#apply(snapshot, rows));
  }

  /** Whether the config applied last is the tier's, or one whose new backends the other members do not know. */
  setCommitted(isCommitted: boolean): void {
    this.#monitor.setCommitted(isCommitted);
    this.#roles.setCommitted(isCommitted);
  }

  *#apply(snapshot: AppliedSnapshot, rows: AppliedRows): SlicedWork {
    if (snapshot.tier !== undefined) this.#pace = snapshot.tier;
    const placed = placeBackends(snapshot, rows, this.#table);
    this.#identities = new Map(placed.map(({ number, pool, backend }) => [number, { pool: pool.name, address: backend.address }]));
    this.#probedPools = new Set(snapshot.pools.filter(({ health }) => health.length > 0).map(({ name }) => name));
    yield* this.#operatorStates.apply(placed);
    this.#addresses.apply(placed);
    yield* this.#monitor.apply(placed);
    this.#roles.apply(placed, snapshot.tier !== undefined && snapshot.tier.store !== 'none');
  }

  /** A worker ejected this row's backend, since it refused a connect (message `ejected`). */
  refused(rowNumber: number): void {
    this.#monitor.refused(rowNumber);
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
    const checks = this.#monitor.checksOf(rowNumber);
    const told = checks.find(({ check }) => check.lastResult?.passed === false) ?? checks.find(({ check }) => check.lastResult !== null);
    return {
      sinceMs: standing?.sinceMs ?? 0,
      reason: standing === null ? '' : presentReason(checks, this.#table.backend(rowNumber).verdict, standing),
      by: standing?.by ?? [],
      lastResult: told?.check.lastResult ?? null,
      operator: identity === undefined ? null : this.#operatorStates.get(identity.pool, identity.address),
    };
  }

  /** Checks behind a row that are probed, by which the tier's reports are asked for. */
  checksOf(rowNumber: number): readonly RowCheck[] {
    return this.#monitor.checksOf(rowNumber).flatMap(({ check, label }) => (check.plan === null ? [] : [{ key: check.key, label }]));
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

  /** Told when a role pool serves another backend, after it is in the rows. Returns how to end it. */
  onRole(listener: (event: RoleEvent) => void): () => void {
    this.#roleListeners.add(listener);
    return () => this.#roleListeners.delete(listener);
  }

  /** Which backend a role pool serves here, and why; null: the pool has no role. */
  roleStatus(pool: string): RoleStatus | null {
    return this.#roles.get(pool)?.status ?? null;
  }

  onState(listener: (event: BackendStateEvent) => void): () => void {
    return this.#operatorStates.subscribe(listener);
  }

  /** This proxy's own eyes contradict most of what the tier holds: it raises no suspicion. */
  get isolated(): boolean {
    return this.#monitor.isolated;
  }

  /** Beside this member's record: what is left here on backends that an operator drains, and how new a word of his is known here. */
  draining(): NonNullable<Beside['draining']> {
    const said: NonNullable<Beside['draining']> = {};
    for (const { key, placed, stampMs } of this.#operatorStates.draining().slice(0, DRAINING_MAX)) {
      const { inFlight, connections } = drainProgress(placed.row, this.#options.traffic?.idleConnections(placed.number) ?? 0);
      said[key] = { inFlight: Math.max(inFlight, connections), stampMs };
    }
    return said;
  }

  /** How far all living members have drained a backend; null: no operator drains it. Rejects when the store is away. */
  async tierDrain(pool: string, address: string): Promise<TierDrain | null> {
    const entry = this.#operatorStates.get(pool, address);
    if (entry === null || entry.state === 'ready') return null;
    const { id, members, store } = this.#membership;
    const key = operatorKey(pool, address);
    const besides = new Map<string, Beside>();
    const ids = [...new Set([...members.keys(), id])];
    for (let from = 0; from < ids.length; from += BESIDE_MAX) {
      for (const [member, text] of await store.beside(ids.slice(from, from + BESIDE_MAX))) besides.set(member, parseBeside(text));
    }
    // Of itself a proxy need not ask.
    besides.set(id, { draining: this.draining() });
    return tierDrain(key, entry.stampMs, ids, besides);
  }

  /** The tier's link is ended by whoever made it. */
  stop(): void {
    this.#roles.stop();
    this.#monitor.stop();
    this.#resolver.stop();
  }

  #events(): MembershipEvents {
    return {
      onVerdict: (check, entry) => this.#monitor.acceptVerdict(check, entry),
      onRole: (pool, record) => this.#roles.accept(pool, record),
      onTickets: () => undefined,
      onRead: (sentMs) => this.#roles.read(sentMs),
      onOperatorState: (key, text) => this.#operatorStates.accept(key, text),
      onMembers: () => this.#monitor.membersChanged(),
      onSuspicions: (checks) => this.#monitor.suspected(checks),
      onConfig: ({ rollout }) => this.#onRollout(rollout !== null),
      onState: (state) => this.#onLinkState(state),
    };
  }

  #onRollout(underWay: boolean): void {
    this.#monitor.rolloutChanged(underWay);
    this.#roles.rolloutChanged(underWay);
  }

  #onLinkState({ phase, reason }: LinkState): void {
    const { log } = this.#options;
    // Its reason may change with every attempt; the admin interface tells the present one.
    if (phase === 'autonomous' && this.#phase !== 'autonomous') log.warn('the store is away: going on with what this proxy sees', { reason });
    else if (phase === 'settling') log.warn('handing over to the store: the own view holds for a lease', { reason });
    else if (phase === 'connected' && this.#wasAway) log.info('the store answers');
    this.#phase = phase;
    this.#wasAway = phase === 'autonomous' || (this.#wasAway && phase !== 'connected');
    this.#monitor.dutyChanged();
    this.#roles.linkChanged();
  }

  #onIsolated(isolated: boolean): void {
    const { log, onIsolated } = this.#options;
    if (isolated) log.warn('isolated: this proxy is refused by most backends that the tier holds to be up');
    else log.info('no longer isolated');
    onIsolated?.();
  }
}

/** `tier` absent: its pace stays as it was. */
type AppliedSnapshot = Pick<Snapshot, 'pools'> & Partial<Pick<Snapshot, 'tier'>>;
type AppliedRows = Pick<SnapshotRows, 'pools' | 'backends'>;
