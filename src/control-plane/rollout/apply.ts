/**
 * How a config takes effect: read, given rows and ports, prepared by everyone
 * who has to run it, then committed by all, or by none. One rollout at a time.
 * The config is the file's: of those asked for meanwhile one more follows, and
 * it reads the newest text. Or it is the tier's: bytes and number are given,
 * and each is done in its turn. Whatever is refused leaves the running config
 * as it is; a dry run does all but the last step, and takes it back.
 */
import { yieldToLoop, type Clock } from '../../base/clock.ts';
import type { Problem } from '../../config/problems.ts';
import type { EventLog } from '../../observe/event-log.ts';
import type { LastReload, RunningConfig } from '../../observe/metrics-source.ts';
import type { BackendTable } from '../../shared/backend-table.ts';
import type { Snapshot } from '../../shared/snapshot.ts';
import { decodeSnapshot } from '../../shared/snapshot-codec.ts';
import { clearCounters } from '../workers/worker-gauges.ts';
import type { WorkerFleet } from '../workers/worker-fleet.ts';
import { findShared, planPorts, type PortPlan } from './port-plan.ts';
import { idlenessOf, RowBook, type RowAssignment } from './row-book.ts';

/** A config as it was read: `snapshot` null if it has errors. */
export interface ReadConfig {
  /** Encoded (shared/snapshot-codec.ts), with the number that was asked for. */
  readonly snapshot: SharedArrayBuffer | null;
  readonly problems: readonly Problem[];
  readonly text: string;
  /** Files besides the config whose change is a reason to reload. */
  readonly secretFiles: readonly string[];
}

/**
 * Who has to run a config besides the workers. `prepare` does what can fail
 * and changes nothing that is in use; its texts refuse the config. After it
 * either `commit` or `abort` follows, and neither may fail.
 */
export interface RolloutParticipant {
  prepare(next: RunningConfig): Promise<readonly string[]>;
  /** Before the workers swap it in; they wait for its end. */
  commit(next: RunningConfig): Promise<void> | void;
  abort(): Promise<void> | void;
}

/** A config that ran, or runs. */
export interface ConfigVersion {
  readonly version: number;
  /** sha256 (hex) of the file's bytes, and after `${}` and `file:`. */
  readonly hash: string;
  readonly effectiveHash: string;
  /** Wall time. */
  readonly loadedAtMs: number;
}

export type RolloutOutcome =
  | { readonly kind: 'done'; readonly version: number; readonly changed: boolean; readonly warnings: readonly Problem[] }
  /** `text`: one line; `problems`: those of the config itself, if that is what it was refused for. */
  | { readonly kind: 'refused'; readonly text: string; readonly problems: readonly Problem[] };

/** A config of the tier's, instead of the file. */
export interface GivenConfig {
  readonly bytes: Uint8Array;
  readonly number: number;
}

export interface RolloutOptions {
  readonly clock: Clock;
  readonly table: BackendTable;
  readonly fleet: WorkerFleet;
  readonly events: EventLog;
  /** In the order in which they prepare and commit; asked at each rollout. */
  participants(): readonly RolloutParticipant[];
  /** `bytes`: null for the file's own. `published`: it is to be shared with a tier. */
  read(number: number, bytes: Uint8Array | null, published: boolean): Promise<ReadConfig>;
  /** Called after each rollout, of whatever end. */
  onOutcome(outcome: RolloutOutcome, read: ReadConfig): void;
}

/** A free port may be taken between its choice and the workers' bind. */
const PORT_TRIES = 3;
/** A worker that died while it prepared may have died of something else: asked once more. */
const LOST_TRIES = 2;

const VERSIONS_KEPT = 50;

interface Refusal {
  readonly texts: readonly string[];
  readonly again: boolean;
}

export class Rollout {
  readonly #options: RolloutOptions;
  readonly #book = new RowBook();
  #running: RunningConfig | null = null;
  /** What workers know a config by: a version may be prepared twice (a dry run, new secrets), and those must not be taken for one. */
  #round = 0;
  #text = '';
  #versions: readonly ConfigVersion[] = [];
  #lastReload: LastReload = { ok: false, atMs: 0, succeededAtMs: 0, problems: [] };
  #present: Promise<RolloutOutcome> | null = null;
  #following: Promise<RolloutOutcome> | null = null;

  constructor(options: RolloutOptions) {
    this.#options = options;
  }

  get running(): RunningConfig | null {
    return this.#running;
  }

  /** Text of the running config, as read. */
  get text(): string {
    return this.#text;
  }

  /** Newest first, the running one included; VERSIONS_KEPT at most. */
  get versions(): readonly ConfigVersion[] {
    return this.#versions;
  }

  get lastReload(): LastReload {
    return this.#lastReload;
  }

  /** Reads the config and rolls it out. Rejects only for a bug. */
  apply(): Promise<RolloutOutcome> {
    if (this.#present === null) return this.#begin();
    this.#following ??= this.#present.then(
      () => this.#begin(),
      () => this.#begin(),
    );
    return this.#following;
  }

  /** Rolls a config of the tier's out. Rejects only for a bug. */
  applyGiven(given: GivenConfig): Promise<RolloutOutcome> {
    return this.#inTurn(() => this.#run(given));
  }

  /** What publishing it would be refused for here, done and taken back; it is noted nowhere. Rejects only for a bug. */
  dryRun(given: GivenConfig): Promise<RolloutOutcome> {
    return this.#inTurn(async () => this.#rollOut(await this.#options.read(given.number, given.bytes, true), true));
  }

  /** Resolves when none is under way; the caller asks for no more. */
  async settled(): Promise<void> {
    while (this.#present !== null) await (this.#following ?? this.#present).catch(() => undefined);
  }

  async #inTurn(run: () => Promise<RolloutOutcome>): Promise<RolloutOutcome> {
    while (this.#present !== null) await this.#present.catch(() => undefined);
    return this.#start(run);
  }

  #begin(): Promise<RolloutOutcome> {
    this.#following = null;
    return this.#start(() => this.#run(null));
  }

  #start(run: () => Promise<RolloutOutcome>): Promise<RolloutOutcome> {
    const present = run();
    this.#present = present;
    const end = (): void => {
      if (this.#present === present) this.#present = null;
    };
    present.then(end, end);
    return present;
  }

  async #run(given: GivenConfig | null): Promise<RolloutOutcome> {
    const read = await this.#options.read(given?.number ?? (this.#running?.snapshot.number ?? 0) + 1, given?.bytes ?? null, false);
    const outcome = await this.#rollOut(read, false, given?.number);
    this.#note(outcome);
    this.#options.onOutcome(outcome, read);
    return outcome;
  }

  /** `number`: what it has to be called from then on; absent, the number of the running one stays if nothing else changes. */
  async #rollOut(read: ReadConfig, dry: boolean, number?: number): Promise<RolloutOutcome> {
    if (read.snapshot === null) return refused('the config has errors', read.problems);
    const snapshot = await decodeSnapshot(read.snapshot);
    const running = this.#running;
    if (running !== null) {
      const isSame = snapshot.sha === running.snapshot.sha && snapshot.effectiveSha === running.snapshot.effectiveSha;
      if (isSame && (number ?? running.snapshot.number) === running.snapshot.number) {
        return { kind: 'done', version: running.snapshot.number, changed: false, warnings: read.problems };
      }
      const fixed = fixedAtStart(running.snapshot, snapshot);
      if (fixed !== null) return refused(fixed, []);
    }
    for (let tries = 1; ; tries++) {
      const refusal = await this.#attempt(read.snapshot, snapshot, tries, dry);
      if (refusal === null) break;
      if (!refusal.again) return refused(refusal.texts.join('; '), []);
    }
    if (dry) return { kind: 'done', version: snapshot.number, changed: false, warnings: read.problems };
    this.#text = read.text;
    const version = { version: snapshot.number, hash: snapshot.sha, effectiveHash: snapshot.effectiveSha, loadedAtMs: this.#running!.loadedAtMs };
    this.#versions = [version, ...this.#versions].slice(0, VERSIONS_KEPT);
    return { kind: 'done', version: snapshot.number, changed: true, warnings: read.problems };
  }

  /** One try to bring a checked snapshot into effect; null: it is, or could be. */
  async #attempt(encoded: SharedArrayBuffer, snapshot: Snapshot, tries: number, dry: boolean): Promise<Refusal | null> {
    const { fleet } = this.#options;
    const plan = await planPorts(snapshot.listeners, bound(this.#running));
    if (plan.problems.length > 0) return { texts: plan.problems, again: false };
    const assignment = await this.#assignRows(snapshot);
    const next: RunningConfig = { snapshot, rows: assignment.rows, ports: plan.ports, loadedAtMs: this.#options.clock.wallMs() };
    const prepared: RolloutParticipant[] = [];
    let refusal: Refusal | null = null;
    for (const participant of this.#options.participants()) {
      const texts = await participant.prepare(next).catch((error: unknown) => [`could not be prepared: ${String(error)}`]);
      if (texts.length > 0) {
        refusal = { texts, again: false };
        break;
      }
      prepared.push(participant);
    }
    refusal ??= await this.#prepareWorkers(encoded, assignment, next, plan, tries);
    if (refusal !== null || dry) {
      fleet.abort();
      for (const participant of prepared) await participant.abort();
      this.#book.abort();
      return refusal;
    }
    for (const participant of prepared) await participant.commit(next);
    await fleet.commit();
    this.#book.commit();
    this.#running = { ...next, loadedAtMs: this.#options.clock.wallMs() };
    return null;
  }

  async #prepareWorkers(
    encoded: SharedArrayBuffer,
    { rows, highest }: RowAssignment,
    { ports }: RunningConfig,
    plan: PortPlan,
    tries: number,
  ): Promise<Refusal | null> {
    const { fleet } = this.#options;
    const { problems, lost } = await fleet.prepare({ number: ++this.#round, snapshot: encoded, rows, highest, ports });
    if (problems.length > 0) return { texts: problems, again: plan.chosen && tries < PORT_TRIES };
    if (lost.length === 0) {
      const shared = await findShared(plan.fresh, fleet.counters.length);
      return shared.length === 0 ? null : { texts: shared, again: plan.chosen && tries < PORT_TRIES };
    }
    const texts = lost.map((reason) => `a worker died while it prepared the config: ${reason}`);
    return { texts, again: this.#running !== null && tries < LOST_TRIES };
  }

  /** A turn of the loop for each of its parts: together they would be one of some 30 ms for 20,000 new rows. */
  async #assignRows(snapshot: Snapshot): Promise<RowAssignment> {
    const { table, fleet } = this.#options;
    const assignment = this.#book.assign(snapshot, idlenessOf(table));
    const { highest, fresh } = assignment;
    await yieldToLoop();
    table.ensure(highest);
    for (const row of fresh.backends) table.backend(row).clear();
    for (const row of fresh.pools) table.pool(row).clear();
    for (const pages of fleet.counters) {
      await yieldToLoop();
      pages.ensure(highest);
      clearCounters(pages, fresh);
    }
    return assignment;
  }

  #note(outcome: RolloutOutcome): void {
    const atMs = this.#options.clock.wallMs();
    const ok = outcome.kind === 'done';
    const problems = ok ? [] : [outcome.text, ...outcome.problems.map(({ file, line, column, message }) => `${file}:${line}:${column} ${message}`)];
    this.#lastReload = { ok, atMs, succeededAtMs: ok ? atMs : this.#lastReload.succeededAtMs, problems };
    const version = ok ? outcome.version : (this.#running?.snapshot.number ?? 0);
    this.#options.events.emit({ type: 'reload', ok, version, problems });
  }
}

function refused(text: string, problems: readonly Problem[]): RolloutOutcome {
  return { kind: 'refused', text, problems };
}

function bound(running: RunningConfig | null): Parameters<typeof planPorts>[1] {
  return running === null ? null : { listeners: running.snapshot.listeners, ports: running.ports };
}

/** What the tier knows this proxy by cannot change under it. */
function fixedAtStart(running: Snapshot, next: Snapshot): string | null {
  const changed = (['name', 'store'] as const).filter((key) => running.tier[key] !== next.tier[key]);
  if (changed.length === 0) return null;
  return `${changed.map((key) => `tier.${key}`).join(' and ')} cannot change while the proxy runs: restart it`;
}
