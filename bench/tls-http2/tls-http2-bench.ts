/**
 * `npm run bench -- tls-http2`: what a request over HTTP/2 costs the proxy,
 * beside nginx and HAProxy, with h2load for clients. bench/README.md says how
 * to read it.
 */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { costTable, judge, type CostResult } from '../layer4/tcp-costs.ts';
import { cpuUs } from '../load/process-cpu.ts';
import { targetKinds, type Settings, type Target } from '../load/targets.ts';
import { describeMachine, versionOf } from '../machine.ts';
import { findProgram, LOAD_CORE, pinning, start, type Started } from '../processes.ts';
import { saveResult } from '../results.ts';

const originEntry = fileURLToPath(new URL('../load/origin.ts', import.meta.url));
const CONNECTIONS = 16;
const STREAMS = 16;
/** Windows of 1 MiB less one, as clients give them: with those of the standard every answer of 64 KiB would wait for its last byte. */
const WINDOW_BITS = '20';
const WEIR_AGAIN = 'weir again';
/** So many turns' worth before the first one: a runtime compiles what it runs often. */
const WARM_UP = 4;

interface Row {
  readonly name: string;
  readonly unit: 'µs/request';
  readonly atMost: number;
  readonly path: string;
  readonly requests: number;
}

const rows: readonly Row[] = [
  { name: 'small', unit: 'µs/request', atMost: 0.8, path: '/small', requests: 30_000 },
  { name: 'browser', unit: 'µs/request', atMost: 0.9, path: '/browser', requests: 20_000 },
  { name: 'answer-64k', unit: 'µs/request', atMost: 1.2, path: '/64k', requests: 6000 },
];

/** What makes each speak HTTP/2 in the clear. */
const settingsOf: Readonly<Record<string, Settings>> = { weir: {}, nginx: { protocol: ' http2' }, haproxy: { protocol: ' proto h2' } };

export async function runTlsHttp2Bench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { rows: { type: 'string', default: 'all' }, rounds: { type: 'string', default: '9' }, save: { type: 'string' } } });
  const chosen = values.rows === 'all' ? rows : values.rows.split(',').map((name) => rowNamed(name));
  if (findProgram('h2load') === null) throw new Error('needs h2load (Debian package nghttp2-client)');
  const machine = describeMachine(pinning);
  const dir = mkdtempSync(join(tmpdir(), 'weir-http2-'));
  // nginx started by root drops to another user.
  chmodSync(dir, 0o755);
  const running: Started[] = [];
  try {
    const targets = await startAll(dir, running);
    const costs: CostResult[] = [];
    for (const row of chosen) costs.push(measure(row, targets, Number(values.rounds)));
    const versions = [...targets.map(({ version }) => version), versionOf('h2load', '--version')];
    console.log(`\n\n${machine.cpu}, ${machine.cores} cores, ${machine.system}; ${versions.join(', ')}; ${values.rounds} rounds`);
    console.log(costTable(costs));
    const method = 'CPU time of the proxy process from the scheduler, by the requests answered; medians of ratios within a round; Weir is the mean of two processes, whose difference is the noise';
    console.log(`saved: ${saveResult({ kind: 'tls-http2', machine, versions, method, rounds: values.rounds, costs }, 'tls-http2', values.save ?? null)}`);
  } finally {
    await Promise.all(running.map((each) => each.stop()));
    rmSync(dir, { recursive: true, force: true });
  }
}

function rowNamed(name: string): Row {
  const row = rows.find((each) => each.name === name);
  if (row === undefined) throw new Error(`no row "${name}"; there are: ${rows.map((each) => each.name).join(', ')}`);
  return row;
}

async function startAll(dir: string, running: Started[]): Promise<Target[]> {
  const origin = start(LOAD_CORE, process.execPath, [originEntry, '0', '127.0.0.1'], { ipc: true });
  running.push(origin);
  const [{ port }] = (await once(origin.child, 'message')) as [{ port: number }];
  const targets: Target[] = [];
  for (const name of ['weir', WEIR_AGAIN, 'nginx', 'haproxy']) {
    const kind = targetKinds.find((each) => each.name === name.split(' ')[0])!;
    const missing = kind.missing();
    if (missing !== null) {
      console.log(`${missing}: left out`);
      continue;
    }
    const target = await kind.start(name, port, dir, settingsOf[kind.name]);
    running.push(target.started);
    targets.push(target);
  }
  return targets;
}

function measure(row: Row, targets: readonly Target[], rounds: number): CostResult {
  for (const target of targets) load(target, row, target.name.startsWith('weir') ? row.requests * WARM_UP : row.requests / 5);
  const costs: Record<string, number[]> = Object.fromEntries(targets.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < targets.length; i++) {
      const target = targets[(i + round) % targets.length]!;
      const before = cpuUs(target.started.pid);
      load(target, row, row.requests);
      costs[target.name]!.push((cpuUs(target.started.pid) - before) / row.requests);
    }
    process.stdout.write('.');
  }
  return judge(row, costs);
}

function load(target: Target, row: Row, requests: number): void {
  const args = ['h2load', '-n', String(requests), '-c', String(CONNECTIONS), '-m', String(STREAMS), '-w', WINDOW_BITS, '-W', WINDOW_BITS, `http://127.0.0.1:${target.port}${row.path}`];
  const [program, ...rest] = pinning ? ['taskset', '-c', String(LOAD_CORE), ...args] : args;
  const { stdout } = spawnSync(program!, rest, { encoding: 'utf8' });
  if (!stdout.includes(`${requests} succeeded, 0 failed, 0 errored`)) throw new Error(`${target.name} failed requests: ${stdout}`);
}
