/**
 * Makes attempts: what is due, one probe of its type at a time for each check,
 * bounded in time and in number, and judged fit to count or void. A failure
 * across a stall of this thread, or for want of our own resources, is void and
 * repeated at once. Called by the monitor alone, on the main thread; holds no
 * turn of the loop for long: one timer serves all checks, and what is due
 * starts a slice at a time.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import { Schedule } from '../../base/schedule.ts';
import type { DialUdp } from '../../net/dial-udp.ts';
import type { Dial } from '../../net/dial.ts';
import { dialSecurely } from '../../net/secure-dial.ts';
import type { ProbePlan } from './check-identity.ts';
import type { Attempt, Check } from './check.ts';
import type { ProbeResult } from './probe.ts';
import type { Programs } from './programs.ts';
import { StallWatch } from './stalls.ts';

/** Where names are; net/resolve-name.ts answers. */
export interface NameSource {
  /** Literal IP; null: none is known. */
  addressOf(name: string): string | null;
  /** Why there is none; null: there is one, or the first lookup is still out. */
  failureOf(name: string): string | null;
  /** A connect to its address failed: worth looking it up again. */
  connectFailed(name: string): void;
}

export interface ProberOptions {
  readonly clock: Clock;
  readonly dial: Dial;
  readonly dialUdp: DialUdp;
  readonly programs?: Programs | undefined;
  readonly names: NameSource;
  /** Probes under way at once; further ones wait their turn. */
  readonly concurrencyMax: number;
  /** A result that counts, of a probe begun at `startMs` (monotonic). */
  judge(check: Check, startMs: number, result: ProbeResult): void;
  /** A result that says nothing. */
  countVoid(check: Check): void;
}

/** A start costs about 0.1 ms of this thread: a turn stays below 5 ms. */
const STARTS_PER_TURN_MAX = 32;
/** A failure is void if more than this share of its time-out was lost to a stall, and more than the stall watch can tell apart. */
const STALL_SHARE = 0.25;
const STALL_MS_MIN = 20;
/** How long a deadline waits for the loop to read what has already arrived. */
const READ_GRACE_MS = 1;

export class Prober {
  readonly #options: ProberOptions;
  readonly #schedule: Schedule<Check>;
  readonly #stalls: StallWatch;
  /** Due, but too many others are under way. */
  readonly #waiting = new Set<Check>();
  #underWay = 0;

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#schedule = new Schedule(options.clock, (check) => this.#due(check), STARTS_PER_TURN_MAX);
    this.#stalls = new StallWatch(options.clock);
  }

  /** Its next probe begins at `dueMs` (monotonic) instead of whenever it would have. */
  at(check: Check, dueMs: number): void {
    this.#schedule.at(check, dueMs);
  }

  now(check: Check): void {
    if (check.attempt === null && !this.#waiting.has(check)) this.#schedule.at(check, this.#options.clock.monotonicMs());
  }

  /** At `dueMs`, unless it is due earlier or being probed. */
  by(check: Check, dueMs: number): void {
    if (check.attempt !== null || this.#waiting.has(check)) return;
    this.#schedule.at(check, Math.min(dueMs, this.#schedule.dueOf(check) ?? dueMs));
  }

  /** A probe under way goes on to its end, but counts for nothing. */
  abandon(check: Check): void {
    this.#schedule.cancel(check);
    this.#waiting.delete(check);
    check.attempt?.controller.abort();
    check.attempt = null;
  }

  stop(): void {
    this.#schedule.stop();
    this.#stalls.stop();
    this.#waiting.clear();
  }

  #due(check: Check): void {
    if (this.#underWay >= this.#options.concurrencyMax) {
      this.#waiting.add(check);
      return;
    }
    const { names, clock } = this.#options;
    const { named, host } = check.backend;
    const address = named ? names.addressOf(host) : host;
    if (address !== null) return this.#attempt(check, check.plan!, address);
    const failure = names.failureOf(host);
    // While its first lookup is out there is nothing to say yet; the monitor comes back when it ends.
    if (failure !== null) this.#take(check, check.plan!, clock.monotonicMs(), { ok: false, reason: failure });
  }

  #attempt(check: Check, { spec, definition, header, secure, startTls, overHttp2 }: ProbePlan, host: string): void {
    const { clock, dialUdp, programs } = this.#options;
    const plainDial = header === null ? this.#options.dial : dialWithHeader(this.#options.dial, header);
    const dial = secure === null ? plainDial : dialSecurely(plainDial, secure, check.backend.host, definition.alpn?.(spec.options, overHttp2) ?? []);
    const attempt: Attempt = { startMs: clock.monotonicMs(), controller: new AbortController() };
    check.attempt = attempt;
    this.#underWay++;
    this.#stalls.begin();
    for (const { row, ejectionPasses } of check.rows) ejectionPasses.probeBegins(row);
    let timer: Timer = clock.after(spec.timeoutMs, () => {
      // After a busy turn this timer runs before the sockets are read: an answer that is here already must win.
      timer = clock.after(READ_GRACE_MS, () => attempt.controller.abort());
    });
    const target = { host, port: spec.port ?? check.backend.port, address: check.address };
    definition
      .probe(target, spec.options, { signal: attempt.controller.signal, dial, dialUdp, clock, programs, overHttp2, ...(startTls === null ? {} : { startTls: (socket) => startTls.over(socket, check.backend.host, [], null) }) })
      .catch((error: unknown): ProbeResult => ({ ok: false, reason: `probe failed: ${String(error)}` }))
      .then((result) => {
        timer.cancel();
        this.#underWay--;
        this.#startWaiting();
        if (check.attempt !== attempt) return;
        check.attempt = null;
        const isLate = !result.ok && attempt.controller.signal.aborted;
        this.#take(check, check.plan!, attempt.startMs, isLate ? { ...result, reason: `timed out after ${spec.timeoutMs} ms` } : result);
      })
      .catch((error: unknown) => {
        // A bug of ours must not pass for a verdict on anyone: it goes where uncaught errors go.
        queueMicrotask(() => {
          throw error;
        });
      })
      .finally(() => this.#stalls.end());
  }

  #startWaiting(): void {
    for (const next of this.#waiting) {
      if (this.#underWay >= this.#options.concurrencyMax) return;
      this.#waiting.delete(next);
      this.#due(next);
    }
  }

  #take(check: Check, { spec }: ProbePlan, startMs: number, result: ProbeResult): void {
    const { clock, names } = this.#options;
    if (!result.ok && result.unreached === true && check.backend.named) names.connectFailed(check.backend.host);
    if (!result.ok && this.#isVoid(spec.timeoutMs, startMs, result)) {
      this.#options.countVoid(check);
      check.voids++;
      // The first repeat is at once; a process that keeps standing still must not make that a busy loop.
      this.#schedule.at(check, check.voids === 1 ? clock.monotonicMs() : startMs + spec.fastIntervalMs);
      return;
    }
    check.voids = 0;
    this.#options.judge(check, startMs, result);
  }

  #isVoid(timeoutMs: number, startMs: number, result: ProbeResult): boolean {
    if (!result.ok && result.ours === true) return true;
    return this.#stalls.stalledMsSince(startMs) > Math.max(STALL_MS_MIN, timeoutMs * STALL_SHARE);
  }
}

/** What is written before the connection is there is sent first of all. */
function dialWithHeader(dial: Dial, header: Buffer): Dial {
  return (to, options) => {
    const socket = dial(to, options);
    socket.write(header);
    return socket;
  };
}
