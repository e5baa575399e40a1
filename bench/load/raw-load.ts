/**
 * A light closed-loop load generator over raw sockets: each connection sends
 * the next request when the answer to the last one is complete. It costs a
 * fraction of what a full HTTP client does, so that the proxy, not the load,
 * is what a measurement shows. Every answer's status and length are checked.
 */
import { connect, type Socket } from 'node:net';
import type { Scenario } from './scenarios.ts';

export interface LoadResult {
  readonly requests: number;
  /** Answers with another status or length, lost connections, timeouts. */
  readonly errors: number;
  readonly elapsedMs: number;
  readonly latencyMs: { readonly p50: number; readonly p90: number; readonly p99: number };
}

const HEAD_END = Buffer.from('\r\n\r\n', 'latin1');
const STATUS_AT = 'HTTP/1.1 '.length;
const OK = Buffer.from('200', 'latin1');
const SAMPLES_MAX = 2_000_000;

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
  private readonly startMs = performance.now();
  private readonly endMs: number;
  private readonly samplesMs = new Float64Array(SAMPLES_MAX);
  private requests = 0;
  private errors = 0;

  constructor(scenario: Scenario, port: number, durationMs: number) {
    this.scenario = scenario;
    this.port = port;
    this.endMs = this.startMs + durationMs;
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
        this.count(nowMs - sentMs);
        finished = nowMs >= this.endMs || this.scenario.newConnectionEach;
        if (!finished) {
          sentMs = nowMs;
          socket.write(this.request);
        } else if (!this.scenario.newConnectionEach) socket.end();
        // With a connection per request the proxy was told to close, and its doing so is part of the work.
      });
      socket.on('error', () => {});
      socket.on('close', () => {
        if (!finished) this.errors++;
        resolve(finished);
      });
      giveUpLater(socket, this.endMs);
    });
  }

  private count(latencyMs: number): void {
    if (this.requests < SAMPLES_MAX) this.samplesMs[this.requests] = latencyMs;
    this.requests++;
  }

  result(): LoadResult {
    const sorted = this.samplesMs.subarray(0, Math.min(this.requests, SAMPLES_MAX)).sort();
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return { requests: this.requests, errors: this.errors, elapsedMs: performance.now() - this.startMs, latencyMs: { p50: at(0.5), p90: at(0.9), p99: at(0.99) } };
  }
}

/** An answer that never comes is an error, not a bench that hangs. */
function giveUpLater(socket: Socket, endMs: number): void {
  socket.setTimeout(Math.max(1000, endMs - performance.now() + 5000), () => socket.destroy());
}

/** Follows one answer after the other on a connection. */
class Exchange {
  private readonly answerBytes: number;
  private pending: Buffer | null = null;
  private bodyBytesDue = -1;

  constructor(scenario: Scenario) {
    this.answerBytes = scenario.answerBytes;
  }

  take(chunk: Buffer): 'partial' | 'complete' | 'wrong' {
    let bytes = chunk;
    if (this.bodyBytesDue < 0) {
      if (this.pending !== null) bytes = Buffer.concat([this.pending, chunk]);
      const end = bytes.indexOf(HEAD_END);
      if (end < 0) {
        this.pending = bytes;
        return 'partial';
      }
      if (bytes.compare(OK, 0, OK.length, STATUS_AT, STATUS_AT + OK.length) !== 0) return 'wrong';
      this.pending = null;
      this.bodyBytesDue = this.answerBytes;
      bytes = bytes.subarray(end + HEAD_END.length);
    }
    this.bodyBytesDue -= bytes.length;
    if (this.bodyBytesDue > 0) return 'partial';
    if (this.bodyBytesDue < 0) return 'wrong';
    this.bodyBytesDue = -1;
    return 'complete';
  }
}

function encodeRequest(scenario: Scenario, port: number): Buffer {
  const fields = [`Host: localhost:${port}`, ...scenario.headers.map(([name, value]) => `${name}: ${value}`)];
  if (scenario.newConnectionEach) fields.push('Connection: close');
  if (scenario.method === 'POST') fields.push(`Content-Length: ${scenario.uploadBytes}`);
  const head = Buffer.from(`${scenario.method} ${scenario.path} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`, 'latin1');
  return Buffer.concat([head, Buffer.alloc(scenario.uploadBytes, 'u')]);
}
