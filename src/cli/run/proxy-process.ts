/**
 * One running proxy on the main thread:
 *
 *   1 workers   their threads load while the config is read
 *   2 tier      the file, else the disk, names the tier and its store
 *   3 config    the store's, the disk's or the file's: prepared by all,
 *               committed by all, or no start
 *   4 service   watch the file, follow signals, answer the admin interface
 *   5 end       drain, stop, let go
 *
 * `start` rejects with a StartError for whatever an operator can mend; `close`
 * then lets go of all that had been opened.
 */
import { randomFillSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Clock, Timer } from '../../base/clock.ts';
import type { AdminContext } from '../../control-plane/admin/admin-context.ts';
import { AdminServer } from '../../control-plane/admin/admin-server.ts';
import type { MemberOrder } from '../../control-plane/member-orders.ts';
import { LimitLeases } from '../../control-plane/limits/limit-leases.ts';
import { Rollout, type ReadConfig, type RolloutOutcome } from '../../control-plane/rollout/apply.ts';
import { FileWatch } from '../../control-plane/rollout/watch.ts';
import { decodeSnapshot } from '../../shared/snapshot-codec.ts';
import type { TierSpec } from '../../shared/snapshot.ts';
import type { DiskState } from '../../control-plane/rollout/last-known-good.ts';
import { TICKET_ROTATION_MS, TicketKeeper } from '../../control-plane/tickets/ticket-keeper.ts';
import { WorkerFleet, type WorkerNotice } from '../../control-plane/workers/worker-fleet.ts';
import { asksForTicketKeys } from '../../net/ticket-keys.ts';
import { EventLog } from '../../observe/event-log.ts';
import type { ProcessLog } from '../../observe/log.ts';
import { BackendTable } from '../../shared/backend-table.ts';
import { TicketMemory } from '../../shared/ticket-memory.ts';
import { adminContextOf } from './admin-context.ts';
import { BackendsParticipant } from './backends-participant.ts';
import { warnOfExpiry } from './certificate-expiry.ts';
import { logParticipant } from './log-participant.ts';
import { ProxyLife } from './proxy-life.ts';
import { ConfigReader } from './read-config.ts';
import { reportRollout } from './report-rollout.ts';
import type { RunOptions } from './run-options.ts';
import { BesideSource } from './beside-source.ts';
import { listenerAddresses } from './listener-addresses.ts';
import { StartError } from './start-error.ts';
import { openDisk, readTierKey, TierPlace } from './tier-place.ts';
import { crashOnSignal, ticketRotationOr, workerUrlOr } from './test-hooks.ts';

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
  readonly tickets: TicketKeeper;
  readonly #admin: AdminServer;
  readonly #leases: LimitLeases;
  readonly #expiry: Timer;
  readonly #reader: ConfigReader;
  readonly #watch: FileWatch;
  readonly #context: AdminContext;
  #place: TierPlace | null = null;
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
    const memory = TicketMemory.create(randomFillSync);
    this.tickets = new TicketKeeper({ clock, memory, fill: randomFillSync, rotationMs: ticketRotationOr(TICKET_ROTATION_MS), areUsed: asksForTicketKeys(), isWanted: () => this.#givesTickets(), log });
    this.fleet = new WorkerFleet({
      clock, workers, workerUrl: workerUrlOr(workerUrl), pluginsDir, table, tickets: memory, events, log,
      onNotice: (index, notice) => this.#onNotice(index, notice),
    });
    this.#reader = new ConfigReader(options);
    this.backends = new BackendsParticipant({ clock, table, node, stateDir, events, log, counters: this.fleet.counters, code: { folder: dirname(resolve(options.file)), pluginsDir }, onIsolated: () => this.#tellTier() });
    this.#expiry = warnOfExpiry(clock, log, () => this.rollout.running?.snapshot.listeners ?? []);
    this.#leases = new LimitLeases(clock, this.fleet.limits, () => this.#place?.membership ?? null);
    this.life = new ProxyLife({
      clock, events, log,
      shed: (on) => this.fleet.shed(on),
      finish: () => this.fleet.stop(),
      openConnections: () => this.#openConnections(),
    });
    this.rollout = new Rollout({
      clock, table, events, fleet: this.fleet,
      participants: () => [this.#admin, this.backends, this.#leases, logParticipant(log)],
      read: (number, bytes, published) => this.#reader.read(number, bytes, published),
      onOutcome: (_outcome, { secretFiles }) => void this.#follow([options.file, ...secretFiles]),
    });
    this.#context = adminContextOf(this);
    this.#admin = new AdminServer({ context: this.#context, log, bind: null });
    this.events.subscribe((event) => {
      if (event.type === 'proxy-state') this.#tellTier();
    });
    this.#watch = new FileWatch(clock, () => void this.reload('the file has changed'));
  }

  /** Resolves once every listener accepts. */
  async start(): Promise<void> {
    this.fleet.start();
    this.tickets.start();
    crashOnSignal(this.fleet);
    await this.#follow([this.options.file]);
    const outcome = await this.#firstConfig();
    if (outcome.kind === 'refused') throw new StartError(outcome.problems.length > 0 ? `the config has errors\n${this.#reader.rendered}` : outcome.text);
    this.#logListeners();
    this.#firstVerdicts = this.clock.every(FIRST_VERDICTS_LOOK_MS, () => this.#lookForFirstVerdicts());
    this.#lookForFirstVerdicts();
  }

  /** This proxy's place in its tier; null until the config's name for it is known. */
  get place(): TierPlace | null {
    return this.#place;
  }

  /** Never rejects: whatever goes wrong with a new config, the traffic of the running one goes on. */
  async reload(cause: string): Promise<RolloutOutcome> {
    this.log.info('reading the config', { cause });
    const place = this.#place;
    if (place !== null && place.rollout !== null) return place.reload();
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
    reasons.push(...(this.#place?.rollout?.notReadyReasons() ?? []));
    if (!this.fleet.views().some((worker) => worker.state === 'running')) reasons.push('no worker runs');
    return reasons;
  }

  /** With a store the tier's committed config, else the file's. */
  async #firstConfig(): Promise<RolloutOutcome> {
    const { options, clock, log, startedAtMs, rollout } = this;
    const read = await this.#reader.readAhead();
    const disk = openDisk(options.stateDir, log);
    const kept = await disk.read();
    const tier = await this.#tierOf(read, kept);
    // Its problems are told by the rollout, like those of any other.
    if (tier === null) return rollout.apply();
    const key = await readTierKey(options.tierKeyFile);
    const place = new TierPlace({
      run: options, tier, disk, kept, key, clock, log, startedAtMs, rollout,
      counters: this.fleet.counters,
      tickets: this.tickets,
      onChange: () => this.#tierChanged(),
      onOrder: (order) => this.#followOrder(order),
    });
    this.#place = place;
    await this.backends.open((events) => place.join(events), key);
    const beside = new BesideSource(clock, this.#context, () => this.backends.backends?.draining() ?? {}, () => place.rollout?.watchedAnswers());
    place.membership!.besideSource = (watched) => beside.text(watched);
    if (!place.hasStore) {
      const outcome = await rollout.apply();
      if (outcome.kind === 'done') reportRollout(log, outcome);
      this.#tellTier();
      return outcome;
    }
    const bytes = await readFile(options.file).catch(() => null);
    const outcome = await place.start(bytes, read.snapshot !== null);
    return outcome.kind === 'done' ? { ...outcome, version: rollout.running!.snapshot.number } : outcome;
  }

  /** The file says which tier this is; if it cannot be read, what this proxy ran last does. */
  async #tierOf(read: ReadConfig, { committed }: DiskState): Promise<TierSpec | null> {
    if (read.snapshot !== null) return (await decodeSnapshot(read.snapshot)).tier;
    if (committed === null) return null;
    const kept = await this.#reader.read(committed.number, committed.bytes);
    const tier = kept.snapshot === null ? null : (await decodeSnapshot(kept.snapshot)).tier;
    if (tier === null || tier.store === 'none') {
      await this.#reader.readAhead();
      return null;
    }
    this.log.error('the file cannot be used; what ran last says which tier this is', { file: this.options.file, problems: read.problems.map(({ line, column, message }) => `${line}:${column} ${message}`) });
    return tier;
  }

  #tierChanged(): void {
    const rollout = this.#place?.rollout ?? null;
    if (rollout !== null && this.backends.backends !== null) this.backends.backends.setCommitted(rollout.current?.number === rollout.own?.number);
    if (this.#firstVerdicts !== null) this.#lookForFirstVerdicts();
    this.#tellTier();
  }

  /** What an operator said of this member anywhere in the tier; one that is stopping goes on stopping. */
  #followOrder({ state, reason, by }: MemberOrder): void {
    const told = `asked at ${by}${reason === '' ? '' : `: ${reason}`}`;
    if (state === 'drain') this.life.drain(told);
    else this.life.undrain(told);
  }

  /** The tier hears of this proxy's state and of what it can be reached at. */
  #tellTier(): void {
    const { life, rollout, options } = this;
    const place = this.#place;
    if (place === null || this.#closing !== null) return;
    const reasons = this.notReadyReasons();
    const isLeaving = life.state === 'draining' || life.state === 'stopping';
    const state = isLeaving ? 'draining' : life.isUp && reasons.length === 0 ? 'ready' : 'joining';
    const addresses = options.advertise.length > 0 || rollout.running === null ? options.advertise : listenerAddresses(rollout.running);
    // It still serves what it can reach, so this is no reason to be not ready.
    const told = this.backends.backends?.isolated === true ? [...reasons, 'isolated'] : reasons;
    place.tell(state, told, addresses);
  }

  async #close(): Promise<void> {
    this.#firstVerdicts?.cancel();
    this.#watch.close();
    this.#place?.stopRollout();
    this.#leases.stop();
    this.tickets.stop();
    this.#expiry.cancel();
    await this.fleet.terminate();
    // Without workers a rollout under way is refused soon; only then does nobody open anything any more.
    await this.rollout.settled();
    this.backends.stop();
    await this.#place?.close();
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
    if ((this.#place?.rollout?.notReadyReasons().length ?? 0) > 0) return;
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

  /** Until a config runs nobody knows. */
  #givesTickets(): boolean {
    return this.rollout.running?.snapshot.listeners.some(({ tls }) => tls?.tickets === true) ?? true;
  }

  #openConnections(): number {
    const running = this.rollout.running;
    if (running === null) return 0;
    return running.rows.listeners.reduce((sum, row) => sum + this.table.listener(row).connections, 0);
  }
}

const PENDING_NAMED_MAX = 10;
