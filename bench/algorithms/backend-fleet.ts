/**
 * The backends of the algorithms bench, in one process of their own: real HTTP
 * listeners, each with so many slots and a time that a request occupies one.
 * A request that finds no slot free waits its turn, as in a thread pool. The
 * parent gives orders over IPC, one at a time, and is sent an answer to each.
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { seededRandom } from '../../src/base/random.ts';

export interface BackendPlan {
  readonly slots: number;
  /** Mean time a request holds a slot; each takes between half and one and a half of it. */
  readonly holdMs: number;
}

export type FleetOrder =
  | { readonly kind: 'open'; readonly plans: readonly BackendPlan[] }
  | { readonly kind: 'hold'; readonly index: number; readonly holdMs: number }
  /** The listener and every connection are gone at once, as when a process is killed. */
  | { readonly kind: 'kill'; readonly index: number }
  | { readonly kind: 'revive'; readonly index: number }
  /** Counts start anew. */
  | { readonly kind: 'reset' }
  | { readonly kind: 'counts' };

export interface FleetCounts {
  /** Requests answered, by backend. */
  readonly answered: readonly number[];
  /** Mean over time of the busiest backend's requests in flight, divided by that of the mean backend: 1 is even. */
  readonly imbalance: number;
}

export type FleetAnswer = { readonly ports: readonly number[] } | { readonly counts: FleetCounts } | { readonly done: true };

const SAMPLE_MS = 5;
const random = seededRandom(1);

class Backend {
  holdMs: number;
  answered = 0;
  inFlight = 0;
  port = 0;
  private readonly slots: number;
  private busy = 0;
  private readonly waiting: ServerResponse[] = [];
  private listening: Server | null = null;

  constructor({ slots, holdMs }: BackendPlan) {
    this.slots = slots;
    this.holdMs = holdMs;
  }

  /** Listens on the port it had before, if it had one. */
  async listen(): Promise<void> {
    const listening = createServer((request, response) => {
      request.resume();
      if (request.url === '/healthz') response.end('ok');
      else this.take(response);
    });
    listening.keepAliveTimeout = 60_000;
    await new Promise<void>((resolve) => listening.listen(this.port, '127.0.0.1', resolve));
    this.port = (listening.address() as AddressInfo).port;
    this.listening = listening;
  }

  async kill(): Promise<void> {
    const listening = this.listening;
    this.listening = null;
    this.waiting.length = 0;
    await new Promise<void>((resolve) => {
      listening?.close(() => resolve());
      listening?.closeAllConnections();
    });
  }

  private take(response: ServerResponse): void {
    this.inFlight++;
    response.once('close', () => this.inFlight--);
    this.waiting.push(response);
    this.next();
  }

  private next(): void {
    while (this.busy < this.slots && this.waiting.length > 0) {
      const response = this.waiting.shift()!;
      if (response.destroyed) continue;
      this.busy++;
      setTimeout(() => {
        this.busy--;
        this.answered++;
        response.end('done\n');
        this.next();
      }, this.holdMs * (0.5 + random.next()));
    }
  }
}

let fleet: Backend[] = [];
let busiestSum = 0;
let meanSum = 0;

setInterval(() => {
  const loads = fleet.map((backend) => backend.inFlight);
  if (loads.length === 0) return;
  busiestSum += Math.max(...loads);
  meanSum += loads.reduce((sum, load) => sum + load, 0) / loads.length;
}, SAMPLE_MS);

async function obey(order: FleetOrder): Promise<FleetAnswer> {
  switch (order.kind) {
    case 'open':
      await Promise.all(fleet.map((backend) => backend.kill()));
      fleet = order.plans.map((plan) => new Backend(plan));
      await Promise.all(fleet.map((backend) => backend.listen()));
      return { ports: fleet.map((backend) => backend.port) };
    case 'hold':
      fleet[order.index]!.holdMs = order.holdMs;
      return { done: true };
    case 'kill':
      await fleet[order.index]!.kill();
      return { done: true };
    case 'revive':
      await fleet[order.index]!.listen();
      return { done: true };
    case 'reset':
      for (const backend of fleet) backend.answered = 0;
      busiestSum = meanSum = 0;
      return { done: true };
    case 'counts':
      return { counts: { answered: fleet.map((backend) => backend.answered), imbalance: busiestSum / meanSum } };
  }
}

process.on('message', (order: FleetOrder) => void obey(order).then((answer) => process.send!(answer)));
process.once('disconnect', () => process.exit(0));
