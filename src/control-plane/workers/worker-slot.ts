/**
 * One worker's place in the fleet: the thread that holds it now, and the
 * count of those before it. The slot starts and watches its thread; what a
 * thread is told, and when it is replaced, is the fleet's to decide.
 */
import { Worker } from 'node:worker_threads';
import type { Clock } from '../../base/clock.ts';
import { BackOff } from '../../base/back-off.ts';
import type { FromWorker, ToWorker, WorkerStart } from '../../shared/thread-messages.ts';

/**
 * `idle`: started, no config yet. `catching-up`: a replacement on its way to
 * the committed config. `running`: it serves. `down`: no thread.
 */
export type SlotPhase = 'idle' | 'catching-up' | 'running' | 'down';

/** A replacement waits 0.1 s, then twice as long each time up to 10 s; a minute alive starts over. */
const RESTART_BACK_OFF = { firstMs: 100, mostMs: 10_000, provenMs: 60_000 };

/** Ticks of the main thread a new worker may take to load its code. */
const START_TICKS = 60;

export interface SlotEnvironment {
  readonly clock: Clock;
  readonly workerUrl: URL;
  readonly start: Omit<WorkerStart, 'index'>;
  onMessage(slot: WorkerSlot, message: FromWorker): void;
  /** Its thread has ended; nothing more comes from it. */
  onGone(slot: WorkerSlot, reason: string): void;
}

/**
 * Of a worker's memory for what is new. The runtime's own is four times that,
 * which many connections at once fill, and which stays resident when they are
 * idle; what they hold is old by then. Requests leave too little behind to
 * need it. An operator's own `--max-semi-space-size` goes before this.
 */
const YOUNG_GENERATION_MIB = 24;

export class WorkerSlot {
  readonly index: number;
  readonly #environment: SlotEnvironment;
  readonly #beats: Int32Array;
  readonly #backOff = new BackOff(RESTART_BACK_OFF);
  #worker: Worker | null = null;
  #reason: string | null = null;
  #lastBeat = 0;
  #stillTicks = 0;
  #hasBeaten = false;
  #startedAtMs = 0;
  #busy: ReturnType<Worker['performance']['eventLoopUtilization']> | null = null;
  phase: SlotPhase = 'down';
  /** Number of the snapshot it has prepared but not committed; 0: none. */
  prepared = 0;
  restarts = 0;
  startedWallMs = 0;
  lastTurnMs = 0;
  utilization = 0;

  constructor(index: number, environment: SlotEnvironment) {
    this.index = index;
    this.#environment = environment;
    this.#beats = new Int32Array(environment.start.heartbeats);
  }

  start(): void {
    const { clock, workerUrl, start } = this.#environment;
    Atomics.store(this.#beats, this.index, 0);
    this.#lastBeat = 0;
    this.#stillTicks = 0;
    this.#hasBeaten = false;
    this.#reason = null;
    this.#busy = null;
    this.prepared = 0;
    this.phase = 'idle';
    this.#startedAtMs = clock.monotonicMs();
    this.lastTurnMs = this.#startedAtMs;
    this.startedWallMs = clock.wallMs();
    const workerData: WorkerStart = { ...start, index: this.index };
    const worker = new Worker(workerUrl, { workerData, name: `worker ${this.index}`, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB } });
    this.#worker = worker;
    worker.on('message', (message: FromWorker) => {
      if (this.#worker === worker) this.#environment.onMessage(this, message);
    });
    worker.on('error', (error: unknown) => (this.#reason = describe(error)));
    worker.on('messageerror', (error) => this.kill(`unreadable message: ${describe(error)}`));
    worker.on('exit', (code) => {
      this.#worker = null;
      this.phase = 'down';
      this.prepared = 0;
      this.utilization = 0;
      this.#environment.onGone(this, this.#reason ?? `exited with code ${code}`);
    });
  }

  send(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  /** Ends the thread even if its loop stands still; `onGone` follows. */
  kill(reason: string): void {
    this.#reason ??= reason;
    void this.#worker?.terminate();
  }

  /** Milliseconds until a replacement may start. */
  restartDelayMs(): number {
    return this.#backOff.failed(this.#environment.clock.monotonicMs() - this.#startedAtMs);
  }

  /**
   * Called on each tick of the main thread; returns true once the worker's
   * loop has not turned for `stillTicksMax` of them. Counted in ticks, not in
   * time: while the main thread itself stands still no tick is counted, so its
   * own stall, or that of the machine, kills nobody.
   */
  tick(stillTicksMax: number): boolean {
    if (this.#worker === null) return false;
    const beat = Atomics.load(this.#beats, this.index);
    if (beat !== this.#lastBeat) {
      this.#lastBeat = beat;
      this.#stillTicks = 0;
      this.#hasBeaten = true;
      this.lastTurnMs = this.#environment.clock.monotonicMs();
      return false;
    }
    this.#stillTicks += 1;
    return this.#stillTicks >= (this.#hasBeaten ? stillTicksMax : Math.max(stillTicksMax, START_TICKS));
  }

  /** Takes the share of time its loop was busy since the last call. */
  sampleUtilization(): void {
    if (this.#worker === null) return;
    const total = this.#worker.performance.eventLoopUtilization();
    this.utilization = this.#worker.performance.eventLoopUtilization(total, this.#busy ?? undefined).utilization;
    this.#busy = total;
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
