/**
 * A light closed-loop load generator over raw sockets: each connection sends
 * the next request when the answer to the last one is complete. It costs a
 * fraction of what a full HTTP client does, so that the proxy, not the load,
 * is what a measurement shows. Every answer's status and length are checked.
 */
import { connect, type Socket } from 'node:net';
import { encodeRequest, Exchange } from './exchange.ts';
import type { Scenario } from './scenarios.ts';
import { Tally, type LoadResult } from './tally.ts';

/** Runs for `durationMs`, then lets what is under way finish: every request the proxy worked for is counted. */
export async function runRawLoad(scenario: Scenario, port: number, durationMs: number): Promise<LoadResult> {
  const run = new RawRun(scenario, port, durationMs);
  await Promise.all(Array.from({ length: scenario.connections }, () => run.client()));
  return run.result();
}

class RawRun {
  private readonly scenario: Scenario;
  private readonly port: number;
  private readonly request: Buffer;
  private readonly endMs: number;
  private readonly tally = new Tally();

  constructor(scenario: Scenario, port: number, durationMs: number) {
    this.scenario = scenario;
    this.port = port;
    this.endMs = performance.now() + durationMs;
    this.request = encodeRequest(scenario, port);
  }

  /** One client: a kept connection, or one after the other; a lost one counts as an error and is replaced. */
  async client(): Promise<void> {
    while (performance.now() < this.endMs) {
      const clean = await this.connection();
      // A proxy that refuses everything must not turn this into a busy loop.
      if (!clean) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  private connection(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect({ port: this.port, host: '127.0.0.1', noDelay: true });
      const exchange = new Exchange(this.scenario);
      let sentMs = performance.now();
      let finished = false;
      socket.on('connect', () => socket.write(this.request));
      socket.on('data', (chunk: Buffer) => {
        const state = exchange.take(chunk);
        if (state === 'partial') return;
        if (state === 'wrong') return void socket.destroy();
        const nowMs = performance.now();
        this.tally.answered(nowMs - sentMs);
        finished = nowMs >= this.endMs || this.scenario.newConnectionEach;
        if (!finished) {
          sentMs = nowMs;
          socket.write(this.request);
        } else if (!this.scenario.newConnectionEach) socket.end();
        // With a connection per request the proxy was told to close, and its doing so is part of the work.
      });
      socket.on('error', () => {});
      socket.on('close', () => {
        if (!finished) this.tally.errors++;
        resolve(finished);
      });
      giveUpLater(socket, this.endMs);
    });
  }

  result(): LoadResult {
    return this.tally.result();
  }
}

/** An answer that never comes is an error, not a bench that hangs. */
function giveUpLater(socket: Socket, endMs: number): void {
  socket.setTimeout(Math.max(1000, endMs - performance.now() + 5000), () => socket.destroy());
}
