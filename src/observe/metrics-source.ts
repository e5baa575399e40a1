/**
 * What a scrape reads besides shared memory. The main thread implements it;
 * `AdminContext` extends it. Every method is cheap, synchronous and returns
 * what holds at this moment.
 */
import type { OperationTimes } from './operation-times.ts';
import type { BackendTable } from '../shared/backend-table.ts';
import type { CounterPages } from '../shared/counter-pages.ts';
import type { Snapshot } from '../shared/snapshot.ts';
import type { SnapshotRows } from '../shared/thread-messages.ts';

/** The committed config with the rows of its parts: always of one and the same snapshot. */
export interface RunningConfig {
  readonly snapshot: Snapshot;
  readonly rows: SnapshotRows;
  /** The port behind each bind, listener by listener, bind by bind. */
  readonly ports: readonly (readonly number[])[];
  /** Wall time at which it was committed. */
  readonly loadedAtMs: number;
}

export interface LastReload {
  readonly ok: boolean;
  readonly atMs: number;
  /** Of the last one that succeeded; the first load counts. */
  readonly succeededAtMs: number;
  /** What was wrong with the last one; empty if it succeeded. */
  readonly problems: readonly string[];
}

export interface WorkerView {
  readonly index: number;
  /** `down`: it died and its replacement has not committed a config yet. */
  readonly state: 'starting' | 'running' | 'down';
  /** How often it was replaced. */
  readonly restarts: number;
  /** Wall time at which the present thread was started. */
  readonly startedAtMs: number;
  /** Milliseconds since its loop was last seen to turn. */
  readonly silentMs: number;
  /** Share of the last seconds that its loop was busy, 0 to 1. */
  readonly utilization: number;
}

/** What the monitor counted for one pool since the process started. */
export interface PoolProbeCounts {
  readonly passed: number;
  readonly failed: number;
  readonly toUp: number;
  readonly toDown: number;
}

/** The tier, for the metrics page. */
export interface TierFigures {
  /** By state; a state that nobody is in may be missing. */
  readonly members: ReadonlyMap<string, number>;
  readonly autonomous: boolean;
  readonly operations: OperationTimes<string>;
}

/** Which backend a role pool serves here, and why. */
export interface RoleStatus {
  /** null: none is served. */
  readonly primary: string | null;
  /** Of the tier's record that this proxy knows of; 0: it knows of none. */
  readonly epoch: number;
  /** Of that record. */
  readonly phase: 'none' | 'withdrawing' | 'admitted';
  /** false: cut off from the store, it goes by its own probes. */
  readonly byTier: boolean;
  /** Its fence has stopped it: too long cut off from the store, or not long enough with it. */
  readonly isFenced: boolean;
  /** Members that have yet to acknowledge, if this one leads. */
  readonly waitsFor: readonly string[];
}

export interface MetricsSource {
  /** The software's version, as in package.json. */
  readonly version: string;
  readonly table: BackendTable;
  /** One per worker index; they outlive the worker. */
  readonly counters: readonly CounterPages[];
  /** null until the first config is committed. */
  running(): RunningConfig | null;
  /** null: the pool has no role. */
  roleStatus(pool: string): RoleStatus | null;
  lastReload(): LastReload;
  workers(): readonly WorkerView[];
  /** By the pool's name; null: it has no probes. */
  probeCounts(pool: string): PoolProbeCounts | null;
  /** null: there is no store. */
  tier(): TierFigures | null;
}
