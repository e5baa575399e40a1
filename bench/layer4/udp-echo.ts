/**
 * CPU a datagram of the proxy, against nginx's stream module: 64 bytes there
 * and back, in sessions that last (`udp`) and in one session for each datagram
 * (`udp-one-shot`, what DNS makes). Both proxies stay up and take turns. Weir is
 * measured twice in each round, which shows the noise.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { once } from 'node:events';
import { bindExclusively } from '../../src/net/exclusive-bind.ts';
import { cpuUs } from '../load/process-cpu.ts';
import { findProgram, LOAD_CORE, PROXY_CORE, start, type Started } from '../processes.ts';
import { spread } from '../statistics.ts';
import type { CostResult } from './tcp-costs.ts';

const WARM_UP_MS = 1000;
const TURN_MS = 2000;
const SESSIONS = 32;
const ends = fileURLToPath(new URL('./udp-ends.ts', import.meta.url));
const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** By name: the most that a datagram may cost, against nginx; without an aim it is told for what it is worth. */
const atMost = { udp: 1.4, 'udp-one-shot': Infinity } as const;
type Row = keyof typeof atMost;
export const udpRows = Object.keys(atMost) as readonly Row[];

interface Target {
  readonly name: string;
  readonly row: Row;
  readonly port: number;
  readonly process: Started;
}

export async function measureUdp(rows: readonly string[], rounds: number): Promise<CostResult[]> {
  const chosen = udpRows.filter((row) => rows.includes(row));
  if (chosen.length === 0) return [];
  const nginx = findProgram('nginx');
  if (nginx === null) throw new Error('needs the Debian packages nginx and libnginx-mod-stream');
  const folder = mkdtempSync(join(tmpdir(), 'weir-udp-'));
  const started: Started[] = [];
  try {
    const echo = await freePort();
    const origin = start(LOAD_CORE, process.execPath, [ends, 'echo', String(echo)], { ipc: true });
    started.push(origin);
    await once(origin.child, 'message');
    const targets: Target[] = [];
    const nginxProcess = await startNginx(nginx, folder, echo, targets);
    const weirProcess = await startWeir(folder, echo, targets);
    started.push(nginxProcess, weirProcess);
    const results: CostResult[] = [];
    for (const row of chosen) results.push(await measureRow(row, targets, rounds));
    return results;
  } finally {
    for (const each of started) await each.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureRow(row: Row, targets: readonly Target[], rounds: number): Promise<CostResult> {
  const [nginx, weir] = targets.filter((each) => each.row === row) as [Target, Target];
  const costs: Record<string, number[]> = { nginx: [], weir: [], 'weir again': [] };
  for (let round = 0; round < rounds; round++) {
    for (const [name, target] of [['nginx', nginx], ['weir', weir], ['weir again', weir]] as const) costs[name]!.push(await measure(target));
    process.stdout.write('.');
  }
  const both = costs['weir']!.map((us, i) => (us + costs['weir again']![i]!) / 2);
  const noise = Math.abs(spread(costs['weir']!.map((us, i) => us / costs['weir again']![i]!)).median - 1);
  return { row, unit: 'µs/datagram', costs, against: 'nginx', ratios: both.map((us, i) => us / costs['nginx']![i]!), atMost: atMost[row], noise };
}

/** CPU µs for a datagram and the one that answers it. */
async function measure({ port, process: proxy }: Target): Promise<number> {
  const load = start(LOAD_CORE, process.execPath, [ends, 'load', String(port), String(SESSIONS)], { ipc: true });
  await once(load.child, 'message');
  const answers = async (): Promise<number> => {
    const said = once(load.child, 'message');
    load.child.send('answers?');
    return ((await said) as [number])[0];
  };
  await pause(WARM_UP_MS);
  const before = await answers();
  const beforeUs = cpuUs(proxy.pid);
  await pause(TURN_MS);
  const count = (await answers()) - before;
  const us = cpuUs(proxy.pid) - beforeUs;
  await load.stop();
  if (count === 0) throw new Error(`nothing came back from ${port}`);
  return us / count;
}

async function startNginx(program: string, folder: string, echo: number, targets: Target[]): Promise<Started> {
  const [lasting, oneShot] = [await freePort(), await freePort()];
  const conf = join(folder, 'nginx.conf');
  writeFileSync(
    conf,
    `load_module ${MODULE};
worker_processes 1; worker_rlimit_nofile 20000; daemon off; error_log stderr error; pid ${folder}/nginx.pid;
events { worker_connections 20000; }
stream {
  upstream origin { hash $remote_addr consistent; server 127.0.0.1:${echo}; }
  server { listen 127.0.0.1:${lasting} udp; proxy_pass origin; proxy_timeout 30s; }
  server { listen 127.0.0.1:${oneShot} udp; proxy_pass origin; proxy_timeout 30s; proxy_responses 1; }
}
`,
  );
  const nginx = start(PROXY_CORE, program, ['-c', conf, '-p', folder]);
  targets.push({ name: 'nginx', row: 'udp', port: lasting, process: nginx }, { name: 'nginx', row: 'udp-one-shot', port: oneShot, process: nginx });
  await pause(500);
  if (nginx.child.exitCode !== null) throw new Error(`nginx ended: ${nginx.stderr()}`);
  return nginx;
}

const MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so';

async function startWeir(folder: string, echo: number, targets: Target[]): Promise<Started> {
  const [lasting, oneShot] = [await freePort(), await freePort()];
  const file = join(folder, 'weir.yaml');
  writeFileSync(
    file,
    `listeners:
  lasting: { protocol: udp, bind: "127.0.0.1:${lasting}", pool: origin }
  one-shot: { protocol: udp, bind: "127.0.0.1:${oneShot}", limits: { responses: 1 }, pool: origin }
pools:
  origin: { algorithm: source-hash, backends: ["127.0.0.1:${echo}"] }
admin: { bind: "127.0.0.1:0" }
`,
  );
  const profile = process.env['WEIR_BENCH_PROFILE'];
  const flags = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
  const weir = start(PROXY_CORE, process.execPath, [...flags, main, 'run', file, '--workers', '1', '--state-dir', join(folder, 'state'), '--node', 'bench']);
  targets.push({ name: 'weir', row: 'udp', port: lasting, process: weir }, { name: 'weir', row: 'udp-one-shot', port: oneShot, process: weir });
  while (!weir.stderr().includes('ready')) {
    if (weir.child.exitCode !== null) throw new Error(`weir ended: ${weir.stderr()}`);
    await pause(50);
  }
  return weir;
}

async function freePort(): Promise<number> {
  const held = await bindExclusively('127.0.0.1', 0, 'udp');
  if (held.kind !== 'held') throw new Error(held.text);
  await held.release();
  return held.port;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
