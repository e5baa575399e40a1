/**
 * `weir demo --tier N`: a redis-server, N proxies and the demo's backends, each
 * a process of its own on this machine, and a tour: kill a proxy, kill Redis,
 * edit, roll back, watch. Everything ends with this process. Redis keeps
 * nothing on disk, so that starting it again shows how the members restore it.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import { backendVariables, demoPorts, type DemoPorts } from './demo-ports.ts';
import { commandPrefix, startBackends, tourText, type RunningBackend, type TourStep } from './start-demo.ts';

export const TIER_PROXIES_MAX = 9;
const CONFIG_NAME = 'weir.yaml';
const REDIS_READY = /Ready to accept connections/;

const tierConfigFile = fileURLToPath(new URL('../../../config/demo-tier.yaml', import.meta.url));

interface DemoProxy {
  readonly name: string;
  readonly port: number;
  readonly adminPort: number;
  readonly log: string;
  readonly child: ChildProcess;
}

/** Rejects with a sentence for the operator if a part of it cannot start. Resolves when every part has ended, or `stop` was asked for by a signal. */
export async function runDemoTier(proxies: number, print: (text: string) => void): Promise<void> {
  if (spawnSync('redis-server', ['--version']).status !== 0) {
    throw new Error('redis-server is not on PATH: install it (Debian, Ubuntu: apt-get install redis-server), or run the demo without --tier');
  }
  const ports = demoPorts(process.env);
  const folder = await mkdtemp(join(tmpdir(), 'weir-demo-'));
  const children: ChildProcess[] = [];
  const stopped = stopOnSignal(children);
  try {
    const file = join(folder, CONFIG_NAME);
    await copyFile(tierConfigFile, file);
    const backends = await startBackends(ports.backends);
    const redis = await startRedis(ports.redis, children);
    const members = await Promise.all(Array.from({ length: proxies }, (_, i) => startProxy(i, ports, folder, children)));
    print(tour({ ports, backends, redis, members, file }));
    await Promise.race([stopped, Promise.all(members.map(({ child }) => once(child, 'exit')))]);
  } finally {
    await endAll(children);
    await rm(folder, { recursive: true, force: true });
  }
}

/** The first signal ends the demo; it reaches the proxies through `endAll`, so that they can drain. */
function stopOnSignal(children: readonly ChildProcess[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = (): void => resolve();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  // However this process ends, nothing of the demo outlives it.
  process.once('exit', () => {
    for (const child of children) child.kill('SIGKILL');
  });
  return promise;
}

async function endAll(children: readonly ChildProcess[]): Promise<void> {
  const left = children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
  const ends = left.map((child) => once(child, 'exit'));
  for (const child of left) child.kill('SIGTERM');
  await Promise.all(ends);
}

async function startRedis(port: number, children: ChildProcess[]): Promise<ChildProcess> {
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  // A group of its own: Ctrl-C is for the demo, which ends Redis last.
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  children.push(child);
  if (await saysOrEnds(child, child.stdout, REDIS_READY)) return child;
  throw new Error(`redis-server cannot listen on 127.0.0.1:${port}: is another demo running?`);
}

async function startProxy(index: number, ports: DemoPorts, folder: string, children: ChildProcess[]): Promise<DemoProxy> {
  const name = `demo-${index + 1}`;
  const port = ports.web + index;
  const adminPort = ports.admin + index;
  const log = join(folder, `${name}.log`);
  const args = ['run', join(folder, CONFIG_NAME), '--node', name, '--admin', `127.0.0.1:${adminPort}`, '--state-dir', join(folder, name), '--workers', '1'];
  const env = { ...process.env, WEB_PORT: String(port), TIER_STORE: `redis://127.0.0.1:${ports.redis}`, ...backendVariables(ports) };
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...args], { stdio: ['ignore', 'ignore', 'pipe'], env, detached: true });
  children.push(child);
  child.stderr.pipe(createWriteStream(log));
  if (await saysOrEnds(child, child.stderr, /"text":"ready"/)) return { name, port, adminPort, log, child };
  throw new Error(`${name} cannot start on ports ${port} and ${adminPort}: is another proxy or demo running?`);
}

/** True once a line of `output` matches; false if the process ends without. */
function saysOrEnds(child: ChildProcess, output: NodeJS.ReadableStream, wanted: RegExp): Promise<boolean> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: output });
    lines.on('line', (line) => {
      if (wanted.test(line)) resolve(true);
    });
    child.once('error', () => resolve(false));
    child.once('exit', () => resolve(false));
  });
}

interface DemoTier {
  readonly ports: DemoPorts;
  readonly backends: readonly RunningBackend[];
  readonly redis: ChildProcess;
  readonly members: readonly DemoProxy[];
  readonly file: string;
}

function tour({ ports, backends, redis, members, file }: DemoTier): string {
  const weir = (command: string): string => `${commandPrefix(process.argv[1] ?? '')} ${command}${ports.adminFlag}`;
  const last = members.at(-1)!;
  const steps: readonly TourStep[] = [
    [`curl localhost:${members[0]!.port}`, 'any proxy, again and again: each backend takes its turn'],
    [weir('members'), 'who is in the tier, and who leads'],
    [`curl -N localhost:${ports.admin}/api/v1/events`, 'what happens, as it happens: leave it running'],
    [`kill ${backends[0]!.pid}`, 'a backend dies: out of all proxies at once'],
    [weir('status --tier'), 'who saw it'],
    [`kill -9 ${last.child.pid}`, `${last.name} dies; the others carry on, and in four seconds it is gone from their view`],
    [`kill ${redis.pid}`, 'Redis dies: every proxy goes by itself, and no request notices'],
    [`redis-server --port ${ports.redis} --save ''`, 'an empty Redis: the members fill it again'],
    [weir('history'), 'the versions of the config'],
    [weir('rollback 1'), 'after an edit (below): the first one again, on all proxies'],
  ];
  return tourText({
    title: `  ${members.length} proxies that act as one:`,
    rows: [
      ...members.map(({ name, port, adminPort, child }) => [name, `http://localhost:${port}`, `admin ${adminPort}`, `pid ${child.pid}`]),
      ...backends.map(({ name, port, pid }) => [name, `127.0.0.1:${port}`, '', `pid ${pid}`]),
      ['redis', `127.0.0.1:${ports.redis}`, '', `pid ${redis.pid}`],
    ],
    steps,
    after: ['Edit the config while it runs: whichever proxy sees it first publishes it to all.', '', `  ${file}`, '', `The proxies' logs are beside it.`],
  });
}
