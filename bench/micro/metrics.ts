/**
 * What a scrape of 10,000 backends costs the main thread, and how long it
 * holds its loop at a time; beside it, the same number of samples through
 * prom-client, the reason why families are written directly.
 */
import { Registry, Gauge } from 'prom-client';
import { Metrics } from '../../src/observe/metrics.ts';
import { backendColumns } from '../../src/shared/counter-pages.ts';
import { statusText } from '../../src/control-plane/admin/status-text.ts';
import { AdminWorld, largeSnapshot } from '../../test/support/admin-world.ts';

const ROUNDS = 5;
/**
 * Follows the loop turn by turn and keeps the most CPU time one turn took:
 * unlike the loop's delay, that says nothing of other processes on the machine.
 */
function watchTurns(): () => number {
  let last = process.threadCpuUsage();
  let longestUs = 0;
  let watching = true;
  const turn = (): void => {
    const spent = process.threadCpuUsage(last);
    longestUs = Math.max(longestUs, spent.user + spent.system);
    last = process.threadCpuUsage();
    if (watching) setImmediate(turn);
  };
  setImmediate(turn);
  return () => {
    watching = false;
    turn();
    return longestUs / 1000;
  };
}

/** Medians of several rounds, and the longest turn of any but the first. */
async function measure(name: string, run: () => Promise<number>): Promise<void> {
  const spent: number[] = [];
  const turns: number[] = [];
  let chars = 0;
  for (let round = 0; round <= ROUNDS; round++) {
    const longest = watchTurns();
    const before = process.threadCpuUsage();
    chars = await run();
    const { user, system } = process.threadCpuUsage(before);
    turns.push(longest());
    if (round > 0) spent.push((user + system) / 1000);
  }
  spent.sort((a, b) => a - b);
  const [first, ...others] = turns;
  console.log(`${name}: ${spent[ROUNDS >> 1]!.toFixed(0)} ms CPU, longest turn ${Math.max(...others).toFixed(1)} ms (the first time ${first!.toFixed(1)}), ${(chars / 1e6).toFixed(1)} MB`);
}

async function length(chunks: AsyncIterable<string>): Promise<number> {
  let chars = 0;
  for await (const chunk of chunks) chars += chunk.length;
  return chars;
}

for (const [pools, each] of [
  [20, 500],
  [1, 10_000],
] as const) {
  const world = new AdminWorld({ snapshot: largeSnapshot(pools, each), workers: 4 });
  for (const pages of world.counters) {
    for (const row of world.config!.rows.backends) {
      const { cells, base } = pages.backends.at(row);
      for (let i = 0; i < backendColumns.count; i++) cells[base + i] = row * 1.37 + i;
    }
  }
  const metrics = new Metrics(world);
  const scale = `${pools} × ${each}`;
  await measure(`${scale}: metrics`, () => length(metrics.render({ backends: true })));
  await measure(`${scale}: metrics without backends`, () => length(metrics.render({ backends: false })));
  await measure(`${scale}: status`, () => length(statusText(world, { pool: null, backends: true })));
}

const registry = new Registry();
const gauge = new Gauge({ name: 'weir_backend_requests_total', help: 'One family.', labelNames: ['pool', 'backend', 'code'], registers: [registry] });
for (let i = 0; i < 10_000; i++) for (const code of ['1xx', '2xx', '3xx', '4xx', '5xx', 'error']) gauge.set({ pool: `pool${i % 20}`, backend: `10.0.${i >> 8}.${i & 255}:8080`, code }, i);
await measure('prom-client, one family of 60,000 samples', async () => (await registry.metrics()).length);
