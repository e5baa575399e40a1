/**
 * `npm run bench -- layer4`: what a relay of tcp or udp costs beside HAProxy and
 * nginx, what an idle connection holds, and what clients lose when the proxy
 * is changed under load. bench/README.md says how to read it.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freePort } from '../../test/support/free-port.ts';
import { describeMachine } from '../machine.ts';
import { findProgram, LOAD_CORE, pinning, start, untilListening, type Started } from '../processes.ts';
import { saveResult } from '../results.ts';
import { figuresTable, type Figure } from '../tier/figure.ts';
import { costRows, costTable, IDLE_KIB_MAX, measureCost, measureIdle, type CostResult, type CostRow } from './tcp-costs.ts';
import { measureLosses, portOf } from './tcp-losses.ts';
import { missingFor, proxyNames, startProxy, versions, WEIR_AGAIN, type Behind, type TcpProxy } from './tcp-peers.ts';
import { measureUdp, udpRows } from './udp-echo.ts';

const ends = fileURLToPath(new URL('./tcp-ends.ts', import.meta.url));
const otherRows = ['idle', 'losses'] as const;

interface Layer4Flags {
  readonly rows: readonly string[];
  readonly rounds: number;
  readonly save: string | null;
}

export function parseLayer4Flags(args: readonly string[]): Layer4Flags {
  const { values } = parseArgs({ args: [...args], options: { rows: { type: 'string', default: 'all' }, rounds: { type: 'string', default: '9' }, save: { type: 'string' } } });
  const known = [...costRows.map(({ name }) => name), ...udpRows, ...otherRows];
  const rows = values.rows === 'all' ? known : values.rows.split(',');
  const unknown = rows.find((row) => !known.includes(row));
  if (unknown !== undefined) throw new Error(`no row "${unknown}"; there are: ${known.join(', ')}`);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds wants a whole number above 0, not "${values.rounds}"`);
  return { rows, rounds, save: values.save ?? null };
}

export async function runLayer4Bench(args: readonly string[]): Promise<void> {
  const flags = parseLayer4Flags(args);
  const machine = describeMachine(pinning);
  const dir = mkdtempSync(join(tmpdir(), 'weir-layer4-'));
  // nginx started by root drops to another user.
  chmodSync(dir, 0o755);
  const running: Started[] = [];
  try {
    const started = { dir, running, behind: await startBehind(running), load: start(LOAD_CORE, process.execPath, [ends, 'load'], { ipc: true }) };
    running.push(started.load);
    const costs = [...(await measureCosts(flags, started)), ...(await measureUdp(flags.rows, flags.rounds))];
    const figures = await measureOthers(flags, started);
    console.log(`\n\n${machine.cpu}, ${machine.cores} cores, ${machine.system}; ${versions().join(', ')}; ${flags.rounds} rounds`);
    if (costs.length > 0) console.log(costTable(costs));
    if (figures.length > 0) console.log(figuresTable(figures));
    const method = 'CPU time of the proxy process from the scheduler, by the work carried; medians of ratios within a round; Weir is the mean of two processes, whose difference is the noise';
    console.log(`saved: ${saveResult({ kind: 'layer4', machine, versions: versions(), method, flags, costs, figures }, 'layer4', flags.save)}`);
  } finally {
    await Promise.all(running.map((each) => each.stop()));
    rmSync(dir, { recursive: true, force: true });
  }
}

interface Bench {
  readonly dir: string;
  readonly running: Started[];
  readonly behind: Behind;
  readonly load: Started;
}

async function startBehind(running: Started[]): Promise<Behind> {
  const origin = await startOrigin(running);
  const program = findProgram('redis-server');
  if (program === null) throw new Error('needs redis-server (Debian package redis-server)');
  const port = await freePort();
  const redis = start(LOAD_CORE, program, ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']);
  running.push(redis);
  await untilListening('redis', redis, port);
  return { origin, redis: port };
}

async function startOrigin(running: Started[]): Promise<number> {
  const origin = start(LOAD_CORE, process.execPath, [ends, 'origin'], { ipc: true });
  running.push(origin);
  return portOf(origin);
}

async function measureCosts({ rows, rounds }: Layer4Flags, { dir, running, behind, load }: Bench): Promise<CostResult[]> {
  const chosen = costRows.filter(({ name }) => rows.includes(name));
  if (chosen.length === 0) return [];
  const proxies: TcpProxy[] = [];
  for (const name of proxyNames) {
    const missing = missingFor(name);
    if (missing !== null) console.log(`${name} is left out: needs ${missing}`);
    else proxies.push(await startProxy(name, behind, dir));
  }
  running.push(...proxies.map(({ started }) => started));
  const isBulk = ({ unit }: CostRow): boolean => unit === 'ms/GB';
  const results: CostResult[] = [];
  for (const row of chosen) results.push(await measureCost(row, proxies.filter(({ name }) => isBulk(row) || !name.includes('splicing')), load, rounds));
  return results;
}

async function measureOthers({ rows }: Layer4Flags, { dir, running, behind, load }: Bench): Promise<Figure[]> {
  const figures: Figure[] = [];
  if (rows.includes('idle')) {
    const names = proxyNames.filter((name) => missingFor(name) === null && name !== WEIR_AGAIN && !name.includes('splicing'));
    for (const [name, kib] of Object.entries(await measureIdle(names, behind, dir, load))) {
      figures.push({ what: `memory of an idle connection: ${name}`, unit: 'KiB', values: [kib], atMost: name === 'weir' ? IDLE_KIB_MAX : null });
    }
  }
  if (rows.includes('losses')) figures.push(...(await measureLosses(behind, await startOrigin(running), load)));
  return figures;
}
