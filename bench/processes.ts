/**
 * Processes under measurement: started pinned to a core where the machine can,
 * waited for until they answer, and ended without leaving anything behind.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { connect } from 'node:net';
import { cpus } from 'node:os';

const STDERR_CHARS_MAX = 4000;
const KILL_AFTER_MS = 8000;
/** A machine with other work may take this long to start a process. */
const LISTENS_WITHIN_MS = 60_000;

/** Proxies run on core 0, load and backends on core 1: neither can take time from the other. */
export const PROXY_CORE = 0;
export const LOAD_CORE = 1;
export const pinning = cpus().length >= 2 && spawnSync('taskset', ['-c', '0', 'true']).status === 0;

/** Ended with the bench, however that ends. */
const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) killGroup(child);
});
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]] as const) process.once(signal, () => process.exit(code));

export interface Started {
  readonly pid: number;
  readonly child: ChildProcess;
  /** The end of what it wrote to stderr. */
  stderr(): string;
  stop(): Promise<void>;
}

/** With what it has started: nginx's workers would outlive it. */
function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

export interface StartOptions {
  readonly ipc?: boolean;
  readonly env?: NodeJS.ProcessEnv;
  /** File that its stdout is appended to; absent: nowhere. */
  readonly stdoutFile?: string;
}

export function start(core: number, command: string, args: readonly string[], options: StartOptions = {}): Started {
  const [file, ...rest] = pinning ? ['taskset', '-c', String(core), command, ...args] : [command, ...args];
  const stdout = options.stdoutFile === undefined ? null : openSync(options.stdoutFile, 'a');
  const child = spawn(file, rest, { stdio: ['ignore', stdout ?? 'ignore', 'pipe', ...(options.ipc ? (['ipc'] as const) : [])], env: { ...process.env, ...options.env }, detached: true });
  if (stdout !== null) closeSync(stdout);
  alive.add(child);
  child.once('exit', () => alive.delete(child));
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-STDERR_CHARS_MAX);
  });
  child.once('error', (error) => {
    stderr += error.message;
  });
  // taskset replaces itself by the command, so the child's pid is the command's.
  return { pid: child.pid ?? -1, child, stderr: () => stderr, stop: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  const late = setTimeout(() => killGroup(child), KILL_AFTER_MS);
  await ended;
  clearTimeout(late);
}

/** Waits until something accepts on `port`; fails with what the process said if it ends first. */
export async function untilListening(name: string, started: Started, port: number, withinMs = LISTENS_WITHIN_MS): Promise<void> {
  const giveUpAtMs = performance.now() + withinMs;
  while (!(await accepts(port))) {
    if (started.child.exitCode !== null || started.child.signalCode !== null) throw new Error(`${name} ended at its start:\n${started.stderr()}`);
    if (performance.now() > giveUpAtMs) throw new Error(`${name} does not listen on ${port}:\n${started.stderr()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** Full path of a program, also where /usr/sbin is not on the PATH; null if it is not installed. */
export function findProgram(name: string): string | null {
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin`;
  const found = spawnSync('sh', ['-c', `command -v ${name}`], { env: { ...process.env, PATH: path }, encoding: 'utf8' });
  return found.status === 0 ? found.stdout.trim() : null;
}
