/**
 * What operators said about single backends: drain, disabled, ready, weight,
 * with who and when. Of this and the file's state the stricter holds, and the
 * result is written to the rows that the workers read. An entry outlives
 * restarts (a file in the state directory) until `ready` takes it back; what
 * the file itself says is lifted in the file.
 *
 * Entries belong to (pool, address). One whose backend is not in the config is
 * kept but does nothing, so that a config rolled back finds its drains again;
 * after KEPT_ABSENT_MS without its backend it is dropped. Main thread only.
 */
import { z } from 'zod';
import { assert } from '../base/assert.ts';
import type { Clock, SlicedWork } from '../base/clock.ts';
import type { Log } from '../observe/log.ts';
import type { PoolRow } from '../shared/backend-table.ts';
import type { BackendState } from '../shared/snapshot.ts';
import { BACKENDS_PER_TURN, type PlacedBackend } from './backend-rows.ts';
import { isBackendKey, isNewer, operatorKey, operatorPut, parseOperatorEntry, WEIGHT_MAX, type OperatorEntry } from './operator-entry.ts';
import type { StateFile } from './state-file.ts';
import type { OperatorPut } from './store/tier-store.ts';

const KEPT_ABSENT_MS = 7 * 86_400_000;

/** What is left out stays as it is. */
export interface OperatorChange {
  readonly state?: BackendState;
  /** null: the file's. */
  readonly weight?: number | null;
  readonly reason?: string;
}

export type OperatorOutcome =
  /** In force. `durable` false: it could not be written to the state directory (logged), and ends with this process. */
  | { readonly kind: 'set'; readonly entry: OperatorEntry; readonly durable: boolean }
  | { readonly kind: 'no-such-backend' }
  /** `ready` was asked for, but the config file itself says this; it is lifted there. */
  | { readonly kind: 'held-by-file'; readonly state: BackendState };

/** The effective state or weight of a backend, after it is in its row. */
export interface BackendStateEvent {
  readonly pool: string;
  readonly address: string;
  readonly rowNumber: number;
  readonly state: BackendState;
  readonly weight: number;
  readonly reason: string;
  readonly by: string;
  /** Wall time. */
  readonly atMs: number;
}

/** Of a tier with a key: words go out sealed, and what is not sealed is not taken. */
export interface OperatorSeal {
  sealOperatorState(key: string, text: string): string;
  /** The text that was sealed; null: not by this key. */
  openOperatorState(key: string, text: string): string | null;
}

export interface OperatorStatesOptions {
  readonly clock: Clock;
  readonly file: StateFile;
  /** null: the tier has no key. */
  readonly seal?: OperatorSeal | null;
  readonly log: Pick<Log, 'warn' | 'error'>;
}

const entrySchema = z.object({
  pool: z.string(),
  address: z.string(),
  state: z.enum(['ready', 'drain', 'disabled']),
  weight: z.int().min(0).max(WEIGHT_MAX).nullable(),
  reason: z.string(),
  by: z.string(),
  stampMs: z.number(),
  /** Wall time since which its backend has not been in the config. */
  absentSinceMs: z.number().nullable().default(null),
});
const fileSchema = z.object({ entries: z.array(z.unknown()) });

type Kept = z.infer<typeof entrySchema>;

export class OperatorStates {
  readonly #options: OperatorStatesOptions;
  readonly #entries = new Map<string, Kept>();
  readonly #listeners = new Set<(event: BackendStateEvent) => void>();
  #placed = new Map<string, PlacedBackend>();
  #publish: (entry: OperatorPut) => void = () => undefined;

  private constructor(options: OperatorStatesOptions) {
    this.#options = options;
  }

  /** Reads the file; what is not readable in it is absent, and logged. */
  static async open(options: OperatorStatesOptions): Promise<OperatorStates> {
    const states = new OperatorStates(options);
    const { file, log } = options;
    const content = await file.read();
    if (content.kind === 'absent') return states;
    const parsed = content.kind === 'read' ? fileSchema.safeParse(content.value) : null;
    if (parsed?.success !== true) {
      log.warn('operator states could not be read and are taken as absent', { path: file.path, cause: content.kind === 'unreadable' ? content.cause : 'not in the expected form' });
      return states;
    }
    for (const written of parsed.data.entries) {
      const entry = entrySchema.safeParse(written);
      if (entry.success) states.#entries.set(operatorKey(entry.data.pool, entry.data.address), entry.data);
      else log.warn('an operator state could not be read and is taken as absent', { path: file.path });
    }
    return states;
  }

  /** `publish` tells the tier: at once all that stands, backends not in the config included, and then each change made here. */
  publishTo(publish: (entry: OperatorPut) => void): void {
    this.#publish = publish;
    for (const entry of this.#entries.values()) this.#tellTier(entry);
  }

  /** The operator's word on a backend; null: none, the file alone counts. */
  get(pool: string, address: string): OperatorEntry | null {
    const kept = this.#entries.get(operatorKey(pool, address));
    return kept === undefined || saysNothing(kept) ? null : entryOf(kept);
  }

  /** Told of each change of an operator's after it is in the rows. Returns how to end it. */
  subscribe(listener: (event: BackendStateEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Writes the effective state and weight of each backend of the config that is about to run. */
  *apply(placed: readonly PlacedBackend[]): SlicedWork {
    const next = new Map<string, PlacedBackend>();
    for (const row of placed) {
      next.set(operatorKey(row.pool.name, row.backend.address), row);
      if (next.size % BACKENDS_PER_TURN === 0) yield;
    }
    this.#placed = next;
    const changedPools = new Set<PoolRow>();
    let count = 0;
    for (const [key, row] of next) {
      if (this.#write(key, row)) changedPools.add(row.poolRow);
      if (++count % BACKENDS_PER_TURN === 0) yield;
    }
    for (const poolRow of changedPools) poolRow.bumpEpoch();
    if (this.#ageAbsent()) void this.#persist();
  }

  /**
   * `by`: who asks, for people. Resolves when the change is in the rows and on
   * the disk. The caller has checked the weight: a whole number from 0 to 1000.
   */
  async set(pool: string, address: string, change: OperatorChange, by: string): Promise<OperatorOutcome> {
    const weight = change.weight ?? 0;
    assert(Number.isInteger(weight) && weight >= 0 && weight <= WEIGHT_MAX, 'a weight is a whole number from 0 to 1000');
    const key = operatorKey(pool, address);
    const placed = this.#placed.get(key);
    if (placed === undefined) return { kind: 'no-such-backend' };
    if (change.state === 'ready' && placed.backend.state !== 'ready') return { kind: 'held-by-file', state: placed.backend.state };
    const former = this.#entries.get(key);
    const entry: OperatorEntry = {
      pool,
      address,
      state: change.state ?? former?.state ?? 'ready',
      weight: change.weight === undefined ? (former?.weight ?? null) : change.weight,
      reason: change.reason ?? '',
      by,
      // A clock that was set back must not make the newer word lose.
      stampMs: Math.max(this.#options.clock.wallMs(), (former?.stampMs ?? 0) + 1),
    };
    const durable = this.#take(key, entry);
    this.#tellTier(entry);
    return { kind: 'set', entry, durable: await durable };
  }

  /** The tier's word; an older one than what is known here, or its absence, changes nothing. */
  accept(key: string, text: string | null): void {
    if (text === null || !isBackendKey(key)) return;
    const { seal = null, log } = this.#options;
    const opened = seal === null ? text : seal.openOperatorState(key, text);
    const entry = opened === null ? null : parseOperatorEntry(key, opened);
    if (entry === null) {
      log.warn("an operator state of the tier's is passed over", { key, cause: opened === null ? "it is not signed with the tier's key" : 'not in the expected form' });
      return;
    }
    const former = this.#entries.get(key);
    if (former === undefined || isNewer(entry, former)) void this.#take(key, entry);
  }

  /** Newest word on each backend of the config that takes nothing new because of it, newest first. */
  draining(): readonly { readonly key: string; readonly placed: PlacedBackend; readonly stampMs: number }[] {
    const found: { key: string; placed: PlacedBackend; stampMs: number }[] = [];
    for (const [key, { state, stampMs }] of this.#entries) {
      const placed = this.#placed.get(key);
      if (placed !== undefined && state !== 'ready') found.push({ key, placed, stampMs });
    }
    return found.sort((a, b) => b.stampMs - a.stampMs);
  }

  /** True once it is on the disk, false if it could not be written. */
  #take(key: string, entry: OperatorEntry): Promise<boolean> {
    const placed = this.#placed.get(key);
    this.#entries.set(key, { ...entry, absentSinceMs: placed === undefined ? this.#options.clock.wallMs() : null });
    if (placed !== undefined) {
      if (this.#write(key, placed)) placed.poolRow.bumpEpoch();
      this.#tell(placed, entry);
    }
    return this.#persist();
  }

  #tellTier(entry: OperatorEntry): void {
    const { seal = null } = this.#options;
    const put = operatorPut(entry);
    this.#publish(seal === null ? put : { ...put, text: seal.sealOperatorState(put.key, put.text) });
  }

  #tell(placed: PlacedBackend, { pool, address, reason, by }: OperatorEntry): void {
    const { row, number: rowNumber } = placed;
    const event: BackendStateEvent = { pool, address, rowNumber, state: row.state, weight: row.weight, reason, by, atMs: this.#options.clock.wallMs() };
    for (const listener of this.#listeners) listener(event);
  }

  /** True if the row did not say so already. */
  #write(key: string, { row, backend }: PlacedBackend): boolean {
    const entry = this.#entries.get(key);
    const state = stricter(backend.state, entry?.state ?? 'ready');
    const weight = entry?.weight ?? backend.weight;
    if (row.state === state && row.weight === weight) return false;
    row.state = state;
    row.weight = weight;
    return true;
  }

  /** True if what is to be on the disk has changed. */
  #ageAbsent(): boolean {
    const nowMs = this.#options.clock.wallMs();
    let changed = false;
    for (const [key, entry] of this.#entries) {
      const isPresent = this.#placed.has(key);
      if (!isPresent && (saysNothing(entry) || nowMs - (entry.absentSinceMs ?? nowMs) > KEPT_ABSENT_MS)) {
        this.#entries.delete(key);
        changed = true;
      } else if (isPresent !== (entry.absentSinceMs === null)) {
        entry.absentSinceMs = isPresent ? null : nowMs;
        changed = true;
      }
    }
    return changed;
  }

  async #persist(): Promise<boolean> {
    const { file, log } = this.#options;
    try {
      await file.write({ entries: [...this.#entries.values()].filter((entry) => !saysNothing(entry)) });
      return true;
    } catch (error) {
      log.error('operator states could not be written: they end with this process', { path: file.path, err: error });
      return false;
    }
  }
}

const strictness: Readonly<Record<BackendState, number>> = { ready: 0, drain: 1, disabled: 2 };

export function stricter(a: BackendState, b: BackendState): BackendState {
  return strictness[a] >= strictness[b] ? a : b;
}

/** Kept for its stamp alone. */
function saysNothing({ state, weight }: OperatorEntry): boolean {
  return state === 'ready' && weight === null;
}

function entryOf({ pool, address, state, weight, reason, by, stampMs }: Kept): OperatorEntry {
  return { pool, address, state, weight, reason, by, stampMs };
}
