/**
 * An open-loop load: requests leave at a fixed rate, whether or not earlier
 * ones were answered, as those of many independent clients do. A slow backend
 * then shows in the latencies instead of slowing the load down.
 */
import { Agent, request } from 'node:http';
import { seededRandom } from '../../src/base/random.ts';

export interface OpenLoadResult {
  readonly latenciesMs: readonly number[];
  /** Statuses other than 200, and exchanges that broke off. */
  readonly errors: number;
}

const USERS = 500;
const GIVE_UP_MS = 10_000;
const TICK_MS = 2;

export async function runOpenLoad(port: number, path: string, requestsPerSecond: number, durationMs: number): Promise<OpenLoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  const random = seededRandom(7);
  const latenciesMs: number[] = [];
  const pending: Promise<void>[] = [];
  let errors = 0;
  const startMs = performance.now();
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const elapsedMs = performance.now() - startMs;
      const due = (Math.min(elapsedMs, durationMs) / 1000) * requestsPerSecond;
      while (pending.length < due) {
        const sentMs = performance.now();
        const sent = send(agent, port, path, `user-${random.below(USERS)}`).then(
          () => void latenciesMs.push(performance.now() - sentMs),
          () => void errors++,
        );
        pending.push(sent);
      }
      if (elapsedMs < durationMs) return;
      clearInterval(timer);
      resolve();
    }, TICK_MS);
  });
  await Promise.all(pending);
  agent.destroy();
  return { latenciesMs: latenciesMs.sort((a, b) => a - b), errors };
}

function send(agent: Agent, port: number, path: string, user: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ agent, host: '127.0.0.1', port, path, headers: { 'x-user': user }, timeout: GIVE_UP_MS }, (response) => {
      response.resume();
      response.once('error', reject);
      response.once('end', () => (response.statusCode === 200 ? resolve() : reject(new Error(`status ${response.statusCode}`))));
    });
    outgoing.once('error', reject);
    outgoing.once('timeout', () => outgoing.destroy(new Error('no answer')));
    outgoing.end();
  });
}
