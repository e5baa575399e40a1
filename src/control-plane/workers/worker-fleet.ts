/**
 * The worker threads of this process: started together, given each config in
 * two steps (in all or in none), watched, replaced when they die. Owned by the
 * main thread. The rollout calls `prepare`, then `commit` or `abort`, one
 * round at a time; a worker that dies meanwhile never holds a round up, and
 * its replacement is brought to the newest committed config on its own.
 */
import { randomFillSync } from 'node:crypto';
import { pause, type Clock, type Timer } from '../../base/clock.ts';
import type { EventLog } from '../../observe/event-log.ts';
import type { Log } from '../../observe/log.ts';
import type { WorkerView } from '../../observe/metrics-source.ts';
import { tableTime, type BackendTable } from '../../shared/backend-table.ts';
import { CounterPages, type RowCounts } from '../../shared/counter-pages.ts';
import { LimitTable } from '../../shared/limit-table.ts';
import type { TicketMemory } from '../../shared/ticket-memory.ts';
import type { FromWorker, SnapshotRows, ToWorker } from '../../shared/thread-messages.ts';
import { PendingWorkers } from './pending-workers.ts';
import { PrepareRound, type PrepareOutcome } from './prepare-round.ts';
import { takeBackGauges } from './worker-gauges.ts';
import { WorkerSlot } from './worker-slot.ts';

const TICK_MS = 500;
/** A loop that has not turned for 5 s of the main thread's ticks has hung. */
const STILL_TICKS_MAX = 10;
const TICKS_PER_UTILIZATION_SAMPLE = 4;
const CUT_MS = 1000;

/** A config on its way to the workers. */
export interface WorkerConfig {
  readonly number: number;
  readonly snapshot: SharedArrayBuffer;
  readonly rows: SnapshotRows;
  readonly highest: RowCounts;
  readonly ports: readonly (readonly number[])[];
}

/** What workers say that is not the fleet's own business. */
export type WorkerNotice = Extract<FromWorker, { kind: 'resolve' | 'ejected' | 'log' }>;

export interface FleetOptions {
  readonly clock: Clock;
  readonly workers: number;
  /** The module each thread runs. */
  readonly workerUrl: URL;
  readonly pluginsDir: string | null;
  readonly table: BackendTable;
  /** Keys of session tickets, the same in all workers. */
  readonly tickets: TicketMemory;
  readonly events: EventLog;
  readonly log: Log;
  onNotice(index: number, notice: WorkerNotice): void;
}

export class WorkerFleet {
  /** One per worker index; they outlive the worker. */
  readonly counters: readonly CounterPages[];
  /** Buckets of the rate limits; they outlive the workers too. */
  readonly limits: LimitTable;
  readonly #options: FleetOptions;
  readonly #slots: readonly WorkerSlot[];
  readonly #restartTimers = new Map<WorkerSlot, Timer>();
  #ticker: Timer | null = null;
  #ticks = 0;
  #committed: WorkerConfig | null = null;
  #candidate: WorkerConfig | null = null;
  #round: PrepareRound | null = null;
  readonly #committing = new PendingWorkers();
  readonly #finishing = new PendingWorkers();
  readonly #ending = new PendingWorkers();
  #turnOut = Promise.withResolvers<void>();
  #highest: RowCounts = { backends: -1, pools: -1, routes: -1, listeners: -1 };
  #earlyDeaths: string[] = [];
  #shedding = false;
  #stopping = false;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.counters = Array.from({ length: options.workers }, () => new CounterPages());
    this.limits = LimitTable.create(options.workers, randomFillSync(new Int32Array(2)), tableTime(options.clock.monotonicMs()));
    const start = {
      workers: options.workers,
      heartbeats: new SharedArrayBuffer(options.workers * Int32Array.BYTES_PER_ELEMENT),
      limits: this.limits.memory,
      tickets: options.tickets.memory,
      pluginsDir: options.pluginsDir,
    };
    const environment = {
      clock: options.clock,
      workerUrl: options.workerUrl,
      start,
      onMessage: (slot: WorkerSlot, message: FromWorker) => this.#onMessage(slot, message),
      onGone: (slot: WorkerSlot, reason: string) => this.#onGone(slot, reason),
    };
    this.#slots = this.counters.map((_, index) => new WorkerSlot(index, environment));
  }

  /** Starts all threads; they load their code while the config is read. */
  start(): void {
    for (const slot of this.#slots) this.#startSlot(slot);
    this.#ticker = this.#options.clock.every(TICK_MS, () => this.#tick());
  }

  /** Lets every worker build and bind `config`. It has taken effect in none until `commit`. */
  async prepare(config: WorkerConfig): Promise<PrepareOutcome> {
    const { table } = this.#options;
    table.ensure(config.highest);
    for (const pages of this.counters) pages.ensure(config.highest);
    this.#highest = config.highest;
    if (this.#stopping) return { problems: ['the proxy is stopping'], lost: [] };
    // Between workers there is nobody to ask; should the next one die as well, replacements take the newest config unasked.
    if (this.#committed !== null && !this.#slots.some(({ phase }) => phase === 'running')) await this.#turnOut.promise;
    if (this.#committed === null && this.#earlyDeaths.length > 0) return { problems: [], lost: this.#earlyDeaths };
    const asked = this.#slots.filter(({ phase }) => phase === 'running' || phase === 'idle');
    this.#candidate = config;
    this.#round = new PrepareRound(config.number, asked.map(({ index }) => index));
    for (const slot of asked) this.#sendPrepare(slot, config);
    const outcome = await this.#round.outcome;
    this.#round = null;
    return outcome;
  }

  /** Swaps the prepared config in; resolves once every worker that lives runs it. */
  async commit(): Promise<void> {
    const config = this.#candidate!;
    this.#candidate = null;
    this.#committed = config;
    for (const slot of this.#slots) {
      if (slot.phase === 'down') {
        this.#replaceLater(slot);
        continue;
      }
      this.#committing.add(slot.index);
      if (slot.prepared === config.number) slot.send({ kind: 'commit', number: config.number });
      else if (slot.phase !== 'catching-up') this.#catchUp(slot);
    }
    await this.#committing.empty();
  }

  abort(): void {
    const config = this.#candidate;
    this.#candidate = null;
    for (const slot of this.#slots) {
      if (config === null || slot.prepared !== config.number) continue;
      slot.prepared = 0;
      slot.send({ kind: 'abort', number: config.number });
    }
  }

  /** Answers say `Connection: close` from now on, or no longer. */
  shed(on: boolean): void {
    this.#shedding = on;
    this.#broadcast({ kind: 'shed', on });
  }

  reopenLogs(): void {
    this.#broadcast({ kind: 'reopen-logs' });
  }

  /** Listeners close; resolves when the last connection of every worker is gone. Nobody is replaced any more. */
  stop(): Promise<void> {
    this.#endReplacement();
    for (const slot of this.#slots) {
      if (slot.phase === 'down') continue;
      this.#finishing.add(slot.index);
      if (slot.phase === 'running') slot.send({ kind: 'stop' });
      else slot.kill('stopping');
    }
    return this.#finishing.empty();
  }

  /** Ends all threads now; resolves when they have ended. */
  async terminate(): Promise<void> {
    this.#endReplacement();
    this.#ticker?.cancel();
    await this.#cutUnfinished();
    for (const slot of this.#slots) {
      if (slot.phase === 'down') continue;
      this.#ending.add(slot.index);
      slot.kill('stopping');
    }
    await this.#ending.empty();
  }

  /** Workers not done with `stop` cut what they have, which takes a moment: they log it. */
  async #cutUnfinished(): Promise<void> {
    if (this.#finishing.isEmpty) return;
    this.#broadcast({ kind: 'cut' });
    await Promise.race([this.#finishing.empty(), pause(this.#options.clock, CUT_MS)]);
  }

  views(): readonly WorkerView[] {
    const nowMs = this.#options.clock.monotonicMs();
    return this.#slots.map((slot) => ({
      index: slot.index,
      state: slot.phase === 'running' ? 'running' : slot.restarts === 0 && slot.phase !== 'down' ? 'starting' : 'down',
      restarts: slot.restarts,
      startedAtMs: slot.startedWallMs,
      silentMs: Math.max(0, nowMs - slot.lastTurnMs),
      utilization: slot.utilization,
    }));
  }

  /** For tests of supervision: makes one worker throw. */
  crash(index: number): void {
    this.#slots[index]?.send({ kind: 'crash' });
  }

  #startSlot(slot: WorkerSlot): void {
    slot.start();
    this.#options.events.emit({ type: 'worker', worker: slot.index, change: 'started', reason: '' });
    if (this.#committed !== null) this.#catchUp(slot);
  }

  /** Brings one worker to the newest committed config outside any round. */
  #catchUp(slot: WorkerSlot): void {
    slot.phase = 'catching-up';
    this.#sendPrepare(slot, this.#committed!);
  }

  #sendPrepare(slot: WorkerSlot, config: WorkerConfig): void {
    slot.send({
      kind: 'prepare',
      snapshot: config.snapshot,
      number: config.number,
      rows: config.rows,
      table: this.#options.table.memory(),
      counters: this.counters[slot.index]!.memory(),
      ports: config.ports,
    });
  }

  #broadcast(message: ToWorker): void {
    for (const slot of this.#slots) slot.send(message);
  }

  #onMessage(slot: WorkerSlot, message: FromWorker): void {
    switch (message.kind) {
      case 'prepared':
        if (slot.phase === 'catching-up') return this.#caughtUpTo(slot, message.number);
        slot.prepared = message.number;
        return this.#round?.answered(slot.index, []);
      case 'refused':
        if (slot.phase === 'catching-up') return slot.kill(`refused the committed config: ${message.problems.join('; ')}`);
        return this.#round?.answered(slot.index, message.problems);
      case 'committed':
        return this.#onCommitted(slot, message.number);
      case 'stopped':
        return this.#finishing.delete(slot.index);
      default:
        return this.#options.onNotice(slot.index, message);
    }
  }

  /** A config that was overtaken meanwhile never takes effect: its rows may belong to others by now. */
  #caughtUpTo(slot: WorkerSlot, number: number): void {
    if (number === this.#committed!.number) return slot.send({ kind: 'commit', number });
    slot.send({ kind: 'abort', number });
    this.#sendPrepare(slot, this.#committed!);
  }

  #onCommitted(slot: WorkerSlot, number: number): void {
    slot.prepared = 0;
    if (number !== this.#committed!.number) return this.#catchUp(slot);
    slot.phase = 'running';
    if (this.#shedding) slot.send({ kind: 'shed', on: true });
    this.#committing.delete(slot.index);
    this.#takeTurnOut();
  }

  #onGone(slot: WorkerSlot, reason: string): void {
    const lost = takeBackGauges(this.#options.table, this.counters[slot.index]!, this.#highest);
    this.limits.releaseLocksOf(slot.index);
    for (const waiting of [this.#committing, this.#finishing, this.#ending]) waiting.delete(slot.index);
    this.#round?.died(slot.index, reason);
    if (this.#stopping) return;
    this.#options.events.emit({ type: 'worker', worker: slot.index, change: 'exited', reason });
    this.#options.log.error('worker died', { worker: slot.index, reason, lostConnections: lost.clients });
    if (this.#committed === null) this.#earlyDeaths.push(reason);
    else this.#replaceLater(slot);
    this.#takeTurnOut();
  }

  #replaceLater(slot: WorkerSlot): void {
    if (this.#stopping || this.#restartTimers.has(slot)) return;
    const delayMs = slot.restartDelayMs();
    this.#restartTimers.set(
      slot,
      this.#options.clock.after(delayMs, () => {
        this.#restartTimers.delete(slot);
        slot.restarts += 1;
        this.#startSlot(slot);
      }),
    );
  }

  #endReplacement(): void {
    this.#stopping = true;
    for (const timer of this.#restartTimers.values()) timer.cancel();
    this.#restartTimers.clear();
  }

  #takeTurnOut(): void {
    this.#turnOut.resolve();
    this.#turnOut = Promise.withResolvers();
  }

  #tick(): void {
    this.#ticks += 1;
    this.limits.sweep(tableTime(this.#options.clock.monotonicMs()));
    for (const slot of this.#slots) {
      if (slot.tick(STILL_TICKS_MAX)) slot.kill(`its loop stood still for ${(STILL_TICKS_MAX * TICK_MS) / 1000} s`);
      if (this.#ticks % TICKS_PER_UTILIZATION_SAMPLE === 0) slot.sampleUtilization();
    }
  }
}
