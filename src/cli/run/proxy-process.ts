/**
 * One running proxy on the main thread:
 *
 *   1 workers   their threads load while the config is read
 *   2 config    read, prepared by all, committed by all, or no start
 *   3 service   watch the file, follow signals, answer the admin interface
 *   4 end       drain, stop, let go
 *
 * `start` rejects with a StartError for whatever an operator can mend; `close`
 * then lets go of all that had been opened.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import { AdminServer } from '../../control-plane/admin/admin-server.ts';
import { Rollout, type RolloutOutcome } from '../../control-plane/rollout/apply.ts';
import { FileWatch } from '../../control-plane/rollout/watch.ts';
import { WorkerFleet, type WorkerNotice } from '../../control-plane/workers/worker-fleet.ts';
import { EventLog } from '../../observe/event-log.ts';
import type { ProcessLog } from '../../observe/log.ts';
import { BackendTable } from '../../shared/backend-table.ts';
import { adminContextOf } from './admin-context.ts';
import { BackendsParticipant } from './backends-participant.ts';
import { logParticipant } from './log-participant.ts';
import { ProxyLife } from './proxy-life.ts';
import { ConfigReader } from './read-config.ts';
import { reportRollout } from './report-rollout.ts';
import type { RunOptions } from './run-options.ts';
import { StartError } from './start-error.ts';
import { crashOnSignal, workerUrlOr } from './test-hooks.ts';

/** The `.ts` of a checkout or the `.js` of a build, whichever this is. */
const workerUrl = new URL(`../../worker${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`, import.meta.url);

/** How often the first verdicts are looked for while the proxy starts. */
const FIRST_VERDICTS_LOOK_MS = 50;

export class ProxyProcess {
  readonly startedAtMs: number;
  readonly clock: Clock;
  readonly options: RunOptions;
  readonly log: ProcessLog;
  readonly table = new BackendTable();
  readonly events: EventLog;
  readonly fleet: WorkerFleet;
  readonly rollout: Rollout;
  readonly life: ProxyLife;
  readonly backends: BackendsParticipant;
  readonly #admin: AdminServer;
  readonly #reader: ConfigReader;
  readonly #watch: FileWatch;
  #firstVerdicts: Timer | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: RunOptions, clock: Clock, log: ProcessLog) {
    this.options = options;
    this.clock = clock;
    this.log = log;
    this.startedAtMs = clock.wallMs();
    this.events = new EventLog(clock);
    const { table, events } = this;
    const { workers, pluginsDir, node, stateDir } = options;
    this.fleet = new WorkerFleet({
      clock, workers, workerUrl: workerUrlOr(workerUrl), pluginsDir, table, events, log,
      onNotice: (index, notice) => this.#onNotice(index, notice),
    });
    this.#reader = new ConfigReader(options);
    this.backends = new BackendsParticipant({ clock, table, node, stateDir, events, log });
    this.life = new ProxyLife({
      clock, events, log,
      shed: (on) => this.fleet.shed(on),
      finish: () => this.fleet.stop(),
      openConnections: () => this.#openConnections(),
    });
    this.rollout = new Rollout({
      clock, table, events, fleet: this.fleet,
      participants: () => [this.#admin, this.backends, logParticipant(log)],
      read: (number) => this.#reader.read(number),
      onOutcome: (_outcome, { secretFiles }) => void this.#follow([options.file, ...secretFiles]),
    });
    this.#admin = new AdminServer({ context: adminContextOf(this), log, bind: null });
    this.#watch = new FileWatch(clock, () => void this.reload('the file has changed'));
  }

  /** Resolves once every listener accepts. */
  async start(): Promise<void> {
    this.fleet.start();
    crashOnSignal(this.fleet);
    await this.#follow([this.options.file]);
    const outcome = await this.rollout.apply();
    if (outcome.kind === 'refused') throw new StartError(outcome.problems.length > 0 ? `the config has errors\n${this.#reader.rendered}` : outcome.text);
    reportRollout(this.log, outcome);
    this.#logListeners();
    this.#firstVerdicts = this.clock.every(FIRST_VERDICTS_LOOK_MS, () => this.#lookForFirstVerdicts());
    this.#lookForFirstVerdicts();
  }

  /** Never rejects: whatever goes wrong with a new config, the traffic of the running one goes on. */
  async reload(cause: string): Promise<RolloutOutcome> {
    this.log.info('reading the config', { cause });
    const outcome = await this.rollout.apply().catch((error: unknown): RolloutOutcome => {
      this.log.error('the reload failed', { err: error });
      return { kind: 'refused', text: `the reload failed: ${String(error)}`, problems: [] };
    });
    if (this.#closing === null) reportRollout(this.log, outcome);
    return outcome;
  }

  /** HUP: the config again, and log files anew. */
  hangUp(): void {
    this.fleet.reopenLogs();
    void this.reload('HUP');
  }

  /** Resolves when the proxy has come to its end; what is still open then is cut by `close`. */
  async stop(reason: string, skipDelay: boolean): Promise<void> {
    const drain = this.rollout.running?.snapshot.drain ?? { delayMs: 0, timeoutMs: 0, removedMs: 0 };
    await this.life.stop(reason, drain, skipDelay || this.rollout.running === null);
  }

  /** Lets go of everything, whatever has been opened so far. Done twice is done once. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Why this proxy should not be given traffic; empty: it should. */
  notReadyReasons(): readonly string[] {
    const reasons: string[] = [];
    const { state } = this.life;
    if (this.rollout.running === null) return ['starting: the listeners are not bound yet'];
    if (state === 'draining' || state === 'stopping') reasons.push(state);
    const pending = this.life.isUp ? [] : (this.backends.backends?.pendingVerdicts(PENDING_NAMED_MAX) ?? []);
    if (pending.length > 0) reasons.push(`starting: no first verdict yet on ${pending.join(', ')}`);
    if (!this.fleet.views().some((worker) => worker.state === 'running')) reasons.push('no worker runs');
    return reasons;
  }

  async #close(): Promise<void> {
    this.#firstVerdicts?.cancel();
    this.#watch.close();
    await this.fleet.terminate();
    // Without workers a rollout under way is refused soon; only then does nobody open anything any more.
    await this.rollout.settled();
    await this.backends.stop();
    await this.#admin.close();
  }

  /** From before the first read on, so that no change falls between a read and the watch. */
  async #follow(files: readonly string[]): Promise<void> {
    if (this.options.watch && this.#closing === null) await this.#watch.follow(files);
  }

  #onNotice(worker: number, notice: WorkerNotice): void {
    if (notice.kind === 'resolve') this.backends.backends?.connectFailed(notice.row);
    else if (notice.kind === 'ejected') this.backends.ejected(notice.row, notice.forMs, notice.reason);
    else this.log.write(notice.level, notice.text, { worker, ...notice.fields });
  }

  #lookForFirstVerdicts(): void {
    if (this.backends.backends?.firstVerdictsKnown() !== true) return;
    this.#firstVerdicts?.cancel();
    this.life.up();
  }

  #logListeners(): void {
    const { snapshot, ports } = this.rollout.running!;
    const admin = this.#admin.address();
    if (admin !== null) this.log.info('admin interface', { address: admin.host ?? '*', port: admin.port });
    snapshot.listeners.forEach(({ name, protocol, binds }, at) => {
      binds.forEach(({ host }, index) => this.log.info('listening', { listener: name, protocol, address: host ?? '*', port: ports[at]![index]! }));
    });
  }

  #openConnections(): number {
    const running = this.rollout.running;
    if (running === null) return 0;
    return running.rows.listeners.reduce((sum, row) => sum + this.table.listener(row).connections, 0);
  }
}

const PENDING_NAMED_MAX = 10;
