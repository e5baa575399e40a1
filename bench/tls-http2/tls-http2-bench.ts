/**
 * `npm run bench -- tls-http2`: what a request over HTTP/2 costs the proxy,
 * beside nginx and HAProxy, with h2load for clients. bench/README.md says how
 * to read it.
 */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freePort } from '../../test/support/free-port.ts';
import { costTable, judge, type CostResult } from '../layer4/tcp-costs.ts';
import { cpuUs } from '../load/process-cpu.ts';
import { targetKinds, type Settings, type Target } from '../load/targets.ts';
import { describeMachine, versionOf } from '../machine.ts';
import { findProgram, LOAD_CORE, pinning, start, untilListening, type Started } from '../processes.ts';
import { saveResult } from '../results.ts';

const originEntry = fileURLToPath(new URL('../load/origin.ts', import.meta.url));
/** Windows of 1 MiB less one, as clients give them: with those of the standard every answer of 64 KiB would wait for its last byte. */
const WINDOW_BITS = '20';
const WEIR_AGAIN = 'weir again';
/** So many turns' worth before the first one: a runtime compiles what it runs often. */
const WARM_UP = 4;

interface Row {
  readonly name: string;
  readonly unit: 'µs/request';
  /** Infinity: no aim, it is told for what it is worth. */
  readonly atMost: number;
  readonly path: string;
  readonly requests: number;
  readonly connections: number;
  readonly streams: number;
  /** What else a request says. */
  readonly fields: readonly string[];
}

/** As a browser says them, beside what the client says by itself. */
const browserFields = [
  'accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8', 'accept-language: en-GB,en;q=0.9,de;q=0.8', 'accept-encoding: gzip, deflate, br, zstd',
  'cookie: session=8d2f0b6e4c1a; theme=dark; consent=1', 'referer: http://shop.example/list?page=3', 'sec-fetch-dest: document', 'sec-fetch-mode: navigate', 'sec-fetch-site: same-origin',
  'upgrade-insecure-requests: 1', 'cache-control: max-age=0',
];

const rows: readonly Row[] = [
  { name: 'browser', unit: 'µs/request', atMost: 0.75, path: '/browser', requests: 20_000, connections: 16, streams: 16, fields: browserFields },
  { name: 'one-stream', unit: 'µs/request', atMost: 0.95, path: '/small', requests: 20_000, connections: 64, streams: 1, fields: [] },
  { name: 'answer-64k', unit: 'µs/request', atMost: 0.9, path: '/64k', requests: 6000, connections: 16, streams: 16, fields: [] },
  { name: 'small', unit: 'µs/request', atMost: Infinity, path: '/small', requests: 30_000, connections: 16, streams: 16, fields: [] },
];
/** Clients of HTTP/1.1 over a pool of HTTP/2, against the same over one of HTTP/1.1. */
const overHttp2: Row = { name: 'h2c-backends', unit: 'µs/request', atMost: 0.9, path: '/', requests: 20_000, connections: 64, streams: 1, fields: [] };

/** What makes each speak HTTP/2 in the clear. */
const settingsOf: Readonly<Record<string, Settings>> = { weir: {}, nginx: { protocol: ' http2' }, haproxy: { protocol: ' proto h2' } };

export async function runTlsHttp2Bench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { rows: { type: 'string', default: 'all' }, rounds: { type: 'string', default: '9' }, save: { type: 'string' } } });
  const chosen = values.rows === 'all' ? [...rows, overHttp2] : values.rows.split(',').map((name) => rowNamed(name));
  if (findProgram('h2load') === null) throw new Error('needs h2load (Debian package nghttp2-client)');
  const machine = describeMachine(pinning);
  const dir = mkdtempSync(join(tmpdir(), 'weir-http2-'));
  // nginx started by root drops to another user.
  chmodSync(dir, 0o755);
  const running: Started[] = [];
  try {
    const targets = await startAll(dir, running);
    const costs: CostResult[] = [];
    for (const row of chosen) costs.push(measure(row, row === overHttp2 ? await startOverBoth(dir, running) : targets, Number(values.rounds)));
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
  const all = [...rows, overHttp2];
  const row = all.find((each) => each.name === name);
  if (row === undefined) throw new Error(`no row "${name}"; there are: ${all.map((each) => each.name).join(', ')}`);
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

/** Two Weirs over a backend of HTTP/2, and one over the same program speaking HTTP/1.1. */
async function startOverBoth(dir: string, running: Started[]): Promise<Target[]> {
  const nginx = findProgram('nginx');
  if (nginx === null) throw new Error('needs nginx (Debian package nginx) for a backend');
  const [plain, multiplexed] = [await freePort(), await freePort()];
  const file = join(dir, 'origin.conf');
  writeFileSync(
    file,
    `worker_processes 1; daemon off; error_log stderr error; pid ${dir}/origin.pid;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; http2_max_concurrent_streams 128;
  server { listen 127.0.0.1:${plain}; listen 127.0.0.1:${multiplexed} http2; location / { return 200 "a backend's small answer"; } }
}
`,
  );
  const origin = start(LOAD_CORE, nginx, ['-p', dir, '-c', file]);
  running.push(origin);
  await untilListening('the backend', origin, multiplexed);
  const weir = targetKinds.find(({ name }) => name === 'weir')!;
  const targets: Target[] = [];
  for (const [name, port, pool] of [['weir', multiplexed, 'protocol: h2c\n    health: tcp\n    '], [WEIR_AGAIN, multiplexed, 'protocol: h2c\n    health: tcp\n    '], ['over http1', plain, 'health: tcp\n    ']] as const) {
    targets.push(await weir.start(name, port, join(dir, 'over'), { health: '', backends: `${pool}backends: ["127.0.0.1:{{originPort}}"]` }));
    running.push(targets.at(-1)!.started);
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
  const version = row === overHttp2 ? ['--h1'] : [];
  const args = ['h2load', ...version, '-n', String(requests), '-c', String(row.connections), '-m', String(row.streams), '-w', WINDOW_BITS, '-W', WINDOW_BITS, ...row.fields.flatMap((field) => ['-H', field]), `http://127.0.0.1:${target.port}${row.path}`];
  const [program, ...rest] = pinning ? ['taskset', '-c', String(LOAD_CORE), ...args] : args;
  const { stdout } = spawnSync(program!, rest, { encoding: 'utf8' });
  if (!stdout.includes(`${requests} succeeded, 0 failed, 0 errored`)) throw new Error(`${target.name} failed requests: ${stdout}`);
}
