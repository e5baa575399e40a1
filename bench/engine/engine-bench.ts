/**
 * `npm run bench -- engine`: the engine's table, filled. Each row starts its
 * own backend, load process and contenders, so that a row alone measures what
 * it does in the whole table. bench/README.md says how and why.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkEcho, checkTarget } from '../load/check-answers.ts';
import { measured, order, startLoad, startOrigin, type Measured } from '../load/measure.ts';
import { targetKinds, type Target } from '../load/targets.ts';
import { describeMachine } from '../machine.ts';
import { pinning, type Started } from '../processes.ts';
import { saveResult } from '../results.ts';
import { measureIdle } from './idle-memory.ts';
import { parseEngineFlags, type EngineFlags } from './options.ts';
import { engineReport, engineTable } from './report.ts';
import { bytesCarried, findRow, paced, type Contender, type Row } from './rows.ts';
import { AGAIN, goesOn, judge, quietOf, type RowResult, type Turn } from './verdict.ts';

/** Peers are compiled before they start. */
const PEER_WARM_UP_MS = 300;
const WARM_UP_CONNECTIONS = 64;
const LOG_WITHIN_MS = 5000;

/** A contender that runs. */
export interface Running {
  readonly contender: Contender;
  readonly target: Target;
}

/** What a row is measured with; all of it ends with the row. */
export interface Bench {
  readonly flags: EngineFlags;
  readonly origin: number;
  readonly load: Started;
  readonly dir: string;
}

export async function runEngineBench(args: readonly string[]): Promise<void> {
  const flags = parseEngineFlags(args);
  const machine = describeMachine(pinning);
  const present = targetKinds.filter((kind) => ['weir', 'nginx', 'haproxy'].includes(kind.name) && kind.missing() === null);
  const versions = Object.fromEntries(present.map((kind) => [kind.name, kind.version()]));
  const chosen = flags.rows.map(findRow);
  const results: RowResult[] = [];
  for (const row of flags.rate === null ? chosen : paced(chosen, flags.rate)) {
    const result = await measureRow(row, flags);
    results.push(result);
    console.log(`\n${row.name}\n${engineTable([result])}`);
  }
  const { rounds, seconds } = flags;
  console.log(`\n${engineReport({ machine, versions, rounds, seconds, rows: results })}`);
  const method = 'CPU time of the proxy process with all threads and children from the scheduler, by requests answered; medians of ratios within a repetition; Weir twice, the mean of both counts, their difference is the noise';
  console.log(`\nsaved: ${saveResult({ kind: 'engine', machine, versions, method, flags, rows: results }, 'engine', flags.save)}`);
}

async function measureRow(row: Row, flags: EngineFlags): Promise<RowResult> {
  const dir = mkdtempSync(join(tmpdir(), 'weir-bench-'));
  // nginx started by root drops to another user, who must reach its folder of body files.
  chmodSync(dir, 0o755);
  const running: Started[] = [];
  try {
    const bench = { flags, dir, origin: await startOrigin(running, row.originAddress), load: startLoad(running) };
    const contenders = withAgain(row.contenders, flags.noise).filter(({ of }) => targetKinds.find((kind) => kind.name === of)?.missing() === null);
    const turns = row.unit === 'KiB/connection' ? await measureIdle(contenders, bench, startContender) : await measureAll(row, contenders, bench, running);
    return judge(row, turns);
  } finally {
    await Promise.all(running.map((started) => started.stop()));
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Every Weir runs as two processes: what they differ by is the noise of this machine, today. */
function withAgain(contenders: readonly Contender[], noise: boolean): Contender[] {
  if (!noise) return [...contenders];
  return [...contenders, ...contenders.filter(({ of }) => of === 'weir').map((each) => ({ ...each, name: `${each.name}${AGAIN}` }))];
}

async function startContender(contender: Contender, { origin, dir }: Bench): Promise<Running> {
  const kind = targetKinds.find((each) => each.name === contender.of)!;
  const target = await kind.start(contender.name, origin, dir, contender.settings);
  try {
    if (contender.drive.tool === 'websocket') await checkEcho(contender.name, target.port, contender.scenario);
    else await checkTarget(contender.name, target.port, origin, [contender.scenario]);
  } catch (error) {
    await target.started.stop();
    throw new Error(`${contender.name} does not answer right: ${error instanceof Error ? error.message : String(error)}\n${target.started.stderr()}`, { cause: error });
  }
  return { contender, target };
}

async function measureAll(row: Row, contenders: readonly Contender[], bench: Bench, running: Started[]): Promise<Turn[]> {
  const all: Running[] = [];
  for (const contender of contenders) {
    const started = await startContender(contender, bench);
    running.push(started.target.started);
    all.push(started);
  }
  const { rounds, seconds, warmUpSeconds } = bench.flags;
  for (const each of all) await warmUp(each, bench, each.contender.of === 'weir' ? warmUpSeconds * 1000 : PEER_WARM_UP_MS);
  const turns: Turn[] = [];
  for (let repetition = 0; goesOn(repetition, quietOf(turns).repetitions, rounds); repetition++) {
    const quiet = quietOf(turns).repetitions;
    // Another one begins each time, so that no contender always follows the same other.
    for (let i = 0; i < all.length; i++) {
      const each = all[(i + repetition) % all.length]!;
      turns.push(turnOf(row, each.contender, repetition, await drive(each, bench, seconds * 1000)));
    }
    process.stdout.write(quietOf(turns).repetitions > quiet ? '.' : 'x');
  }
  if (row.logged) for (const { contender, target } of all) await checkLog(contender.name, target, turns.filter((turn) => turn.contender === contender.name), seconds);
  return turns;
}

/** As many requests as possible, also for what is measured at a slow rate: a proxy in service has seen more than a few thousand. */
async function warmUp({ contender, target }: Running, bench: Bench, durationMs: number): Promise<void> {
  const { scenario, drive: how } = contender;
  const connections = Math.min(scenario.connections, WARM_UP_CONNECTIONS);
  if (how.tool === 'paced') await order(bench.load, { tool: 'raw', scenario: { ...scenario, connections }, port: target.port, durationMs });
  else await drive({ contender, target }, bench, durationMs);
}

async function drive({ contender, target }: Running, { load }: Bench, durationMs: number): Promise<Measured> {
  const { scenario, drive: how } = contender;
  const { port } = target;
  switch (how.tool) {
    case 'closed':
      return measured(load, target, { tool: 'raw', scenario, port, durationMs });
    case 'websocket':
      return measured(load, target, { tool: 'websocket', scenario, port, durationMs });
    case 'hold':
      throw new Error('held connections are measured by memory');
    case 'paced': {
      const opened = await order(load, { tool: 'hold', scenario, port });
      const result = await measured(load, target, { tool: 'pace', ratePerS: how.ratePerS, durationMs });
      await order(load, { tool: 'release' });
      return { ...result, errors: result.errors + opened.errors };
    }
  }
}

function turnOf(row: Row, contender: Contender, repetition: number, result: Measured): Turn {
  // µs a request by bytes a request, times 10^9 bytes, by 1000 µs a millisecond.
  const cost = row.unit === 'ms/GB' ? (result.cpuUsPerRequest / bytesCarried(contender.scenario)) * 1e6 : result.cpuUsPerRequest;
  return { contender: contender.name, repetition, cost, busy: result.proxyBusy, others: result.othersBusy, requestsPerSecond: result.requestsPerSecond, errors: result.errors };
}

/** A log that is cheap because lines are missing is no log. */
async function checkLog(name: string, target: Target, turns: readonly Turn[], seconds: number): Promise<void> {
  const expected = turns.reduce((sum, turn) => sum + turn.requestsPerSecond * seconds, 0);
  const giveUpAtMs = performance.now() + LOG_WITHIN_MS;
  let lines = 0;
  while (lines < expected) {
    if (performance.now() > giveUpAtMs) throw new Error(`${name} wrote ${lines} lines to its access log, of ${Math.round(expected)} requests`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    lines = readFileSync(target.accessLog).reduce((sum, byte) => sum + (byte === 10 ? 1 : 0), 0);
  }
}
