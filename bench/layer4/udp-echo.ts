/**
 * CPU a datagram of the proxy, against nginx's stream module: 64 bytes there
 * and back, in sessions that last (`echo`) and in one session for each datagram
 * (`one-shot`, what DNS makes). Both proxies stay up and take turns; figures are
 * medians of the ratios within a round. Weir is measured twice in each, which shows
 * the noise: where the two differ by more than 3 % the row says little. Alone:
 * `node bench/layer4/udp-echo.ts [ROUNDS] [SECONDS]`.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { once } from 'node:events';
import { bindExclusively } from '../../src/net/exclusive-bind.ts';
import { cpuUs } from '../load/process-cpu.ts';
import { describeMachine, versionOf } from '../machine.ts';
import { findProgram, LOAD_CORE, PROXY_CORE, pinning, start, type Started } from '../processes.ts';
import { spread } from '../statistics.ts';

const WARM_UP_MS = 1000;
const SESSIONS = 32;
const ends = fileURLToPath(new URL('./udp-ends.ts', import.meta.url));
const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

type Row = 'echo' | 'one-shot';
const rows: readonly Row[] = ['echo', 'one-shot'];

interface Target {
  readonly name: string;
  readonly row: Row;
  readonly port: number;
  readonly process: Started;
}

export async function runUdpEcho(rounds: number, seconds: number): Promise<void> {
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
    console.log(JSON.stringify({ ...describeMachine(pinning), nginx: versionOf(nginx, '-v') }));
    for (const row of rows) await measureRow(row, targets, rounds, seconds);
  } finally {
    for (const each of started) await each.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureRow(row: Row, targets: readonly Target[], rounds: number, seconds: number): Promise<void> {
  const figures = new Map<string, number[]>();
  const rates = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    const [nginx, weir] = targets.filter((each) => each.row === row) as [Target, Target];
    for (const [name, target] of [['nginx', nginx], ['weir', weir], ['again', weir]] as const) {
      const { us, rate } = await measure(target, seconds);
      figures.set(name, [...(figures.get(name) ?? []), us]);
      rates.set(name, [...(rates.get(name) ?? []), rate]);
    }
  }
  const [nginx, weir] = [figures.get('nginx')!, figures.get('weir')!];
  const ratios = weir.map((us, i) => us / nginx[i]!);
  const noise = figures.get('again')!.map((us, i) => us / weir[i]!);
  const told = (values: readonly number[]): string => `${spread(values).median.toFixed(2)} (${spread(values).min.toFixed(2)}-${spread(values).max.toFixed(2)})`;
  console.log(`${row}: CPU µs a round trip: nginx ${told(nginx)}, weir ${told(weir)}; ratio ${told(ratios)}; weir to itself ${told(noise)}; round trips/s nginx ${spread(rates.get('nginx')!).median.toFixed(0)}, weir ${spread(rates.get('weir')!).median.toFixed(0)}`);
}

async function measure({ port, process: proxy }: Target, seconds: number): Promise<{ us: number; rate: number }> {
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
  await pause(seconds * 1000);
  const count = (await answers()) - before;
  const us = cpuUs(proxy.pid) - beforeUs;
  await load.stop();
  if (count === 0) throw new Error(`nothing came back from ${port}`);
  return { us: us / count, rate: count / seconds };
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
  targets.push({ name: 'nginx', row: 'echo', port: lasting, process: nginx }, { name: 'nginx', row: 'one-shot', port: oneShot, process: nginx });
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
  targets.push({ name: 'weir', row: 'echo', port: lasting, process: weir }, { name: 'weir', row: 'one-shot', port: oneShot, process: weir });
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

if (process.argv[1] === fileURLToPath(import.meta.url)) await runUdpEcho(Number(process.argv[2] ?? 7), Number(process.argv[3] ?? 3));
