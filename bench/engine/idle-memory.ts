/**
 * What an idle connection costs in memory: resident set of the whole process
 * with 8,000 of them, each of which had one answer, above that without, by
 * their number. Nothing is collected for the occasion. A process that has held
 * them once keeps much of the memory, so every repetition takes a new one.
 */
import { order } from '../load/measure.ts';
import { rssBytes } from '../load/process-cpu.ts';
import type { Bench, Running } from './engine-bench.ts';
import type { Contender } from './rows.ts';
import type { Turn } from './verdict.ts';

/** A new process each time makes a round long, and memory is less noisy than time. */
const ROUNDS_MAX = 3;
const WARM_UP_CONNECTIONS = 64;
/** What is released or collected behind an answer has happened by then. */
const SETTLE_MS = 1000;
const KIB = 1024;

type StartContender = (contender: Contender, bench: Bench) => Promise<Running>;

export async function measureIdle(contenders: readonly Contender[], bench: Bench, startContender: StartContender): Promise<Turn[]> {
  const turns: Turn[] = [];
  for (let repetition = 0; repetition < Math.min(bench.flags.rounds, ROUNDS_MAX); repetition++) {
    for (const contender of contenders) turns.push(await measureOne(await startContender(contender, bench), repetition, bench));
    process.stdout.write('.');
  }
  return turns;
}

async function measureOne({ contender, target }: Running, repetition: number, { load, flags }: Bench): Promise<Turn> {
  const { scenario } = contender;
  const { port } = target;
  try {
    await order(load, { tool: 'raw', scenario: { ...scenario, connections: WARM_UP_CONNECTIONS }, port, durationMs: flags.warmUpSeconds * 1000 });
    await settle();
    const before = rssBytes(target.started.pid);
    const opened = await order(load, { tool: 'hold', scenario, port });
    await settle();
    const added = rssBytes(target.started.pid) - before;
    // Those that were closed in the meantime are found when all are released.
    const released = await order(load, { tool: 'release' });
    return { contender: contender.name, repetition, cost: added / scenario.connections / KIB, busy: 0, others: 0, requestsPerSecond: 0, errors: opened.errors + released.errors };
  } finally {
    await target.started.stop();
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
}
