/**
 * Connections that stay: opened once with one request each, then idle, or
 * used in turn at a fixed rate. The rate is an open loop: a request leaves
 * when it is due, whether or not those before it have been answered.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { encodeRequest, Exchange } from './exchange.ts';
import type { PaceMark, PaceOrder } from './pacer.ts';
import type { Scenario } from './scenarios.ts';
import { Tally, type LoadResult } from './tally.ts';

/** Connections on their way at one time: more would overflow a proxy's queue of new ones. */
const OPENING_MAX = 200;
const ANSWER_WITHIN_MS = 10_000;

class HeldConnection {
  sentMs = 0;
  busy = false;
  lost = false;
  readonly socket: Socket;
  readonly exchange: Exchange;

  constructor(scenario: Scenario, port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.exchange = new Exchange(scenario);
  }
}

export class HeldConnections {
  readonly #scenario: Scenario;
  readonly #port: number;
  readonly #request: Buffer;
  readonly #connections: HeldConnection[] = [];
  readonly #pacer = new Worker(new URL('./pacer.ts', import.meta.url));
  #tally = new Tally();
  #next = 0;
  #inFlight = 0;
  #releasing = false;
  /** Requests that were due when every connection had one under way. */
  #waiting = 0;
  #answered: (() => void) | null = null;

  constructor(scenario: Scenario, port: number) {
    this.#scenario = scenario;
    this.#port = port;
    this.#request = encodeRequest(scenario, port);
  }

  /** Opens them all; each has had one answer when this resolves. */
  async open(): Promise<LoadResult> {
    this.#tally = new Tally();
    const ready = once(this.#pacer, 'online');
    for (let opened = 0; opened < this.#scenario.connections; opened += OPENING_MAX) {
      const count = Math.min(OPENING_MAX, this.#scenario.connections - opened);
      for (let i = 0; i < count; i++) this.#add();
      await this.#allAnswered();
    }
    await ready;
    return this.#tally.result();
  }

  /** Sends `ratePerS` for `durationMs`, over the connections in turn, and waits for the last answer. */
  async pace(ratePerS: number, durationMs: number): Promise<LoadResult> {
    this.#tally = new Tally();
    const done = new Promise<void>((resolve) => {
      const onMark = (mark: PaceMark): void => {
        if (mark === 'due') return this.#sendNext();
        this.#pacer.off('message', onMark);
        resolve();
      };
      this.#pacer.on('message', onMark);
    });
    this.#pacer.postMessage({ ratePerS, durationMs } satisfies PaceOrder);
    await done;
    await this.#allAnswered();
    return this.#tally.result();
  }

  async release(): Promise<LoadResult> {
    this.#tally = new Tally();
    this.#tally.errors = this.#connections.filter(({ lost }) => lost).length;
    this.#releasing = true;
    const closed = this.#connections.filter(({ lost }) => !lost).map(({ socket }) => once(socket, 'close'));
    for (const { socket } of this.#connections) socket.end();
    await Promise.all(closed);
    await this.#pacer.terminate();
    return this.#tally.result();
  }

  #add(): void {
    const held = new HeldConnection(this.#scenario, this.#port);
    const { socket } = held;
    this.#connections.push(held);
    this.#inFlight++;
    held.busy = true;
    socket.on('connect', () => {
      held.sentMs = performance.now();
      socket.write(this.#request);
    });
    socket.on('data', (chunk: Buffer) => this.#take(held, chunk));
    socket.on('error', () => {});
    // 'end' comes first when it is the other side that closes.
    socket.on('end', () => this.#lost(held));
    socket.on('close', () => this.#lost(held));
  }

  #sendNext(): void {
    for (let tried = 0; tried < this.#connections.length; tried++) {
      const held = this.#connections[this.#next]!;
      this.#next = (this.#next + 1) % this.#connections.length;
      if (!held.busy && !held.lost) return this.#send(held);
    }
    this.#waiting++;
  }

  #send(held: HeldConnection): void {
    held.busy = true;
    held.sentMs = performance.now();
    this.#inFlight++;
    held.socket.write(this.#request);
  }

  #take(held: HeldConnection, chunk: Buffer): void {
    const state = held.exchange.take(chunk);
    if (state === 'partial') return;
    if (state === 'wrong') return void held.socket.destroy();
    this.#tally.answered(performance.now() - held.sentMs);
    held.busy = false;
    if (this.#waiting > 0) {
      this.#waiting--;
      this.#send(held);
    }
    this.#left();
  }

  #lost(held: HeldConnection): void {
    if (held.lost || this.#releasing) return;
    held.lost = true;
    this.#tally.errors++;
    if (held.busy) this.#left();
  }

  #left(): void {
    this.#inFlight--;
    if (this.#inFlight === 0) this.#answered?.();
  }

  async #allAnswered(): Promise<void> {
    if (this.#inFlight === 0) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#answered = resolve;
    const late = setTimeout(() => reject(new Error(`${this.#inFlight} answers did not come within ${ANSWER_WITHIN_MS} ms`)), ANSWER_WITHIN_MS);
    try {
      await promise;
    } finally {
      clearTimeout(late);
      this.#answered = null;
    }
  }
}
