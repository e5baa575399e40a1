/** One turn of one proxy at a row's work; what was not done right is no result. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpuUs, rssBytes } from '../load/process-cpu.ts';
import type { Target } from '../load/targets.ts';
import { LOAD_CORE, pinning, start, type Started } from '../processes.ts';
import { CALL_MESSAGE } from './check.ts';
import type { Report, Work } from './clients.ts';
import type { Handshakes, Held, Requests, Row } from './rows.ts';

/** Windows of 1 MiB less one, as clients give them: with those of the standard every answer of 64 KiB would wait for its last byte. */
const WINDOW_BITS = '20';
/** Time for a proxy to note that the load's connections are gone, so that its doing so is counted too. */
const SETTLE_MS = 50;
const IDLE_SETTLE_MS = 1500;
/** So many handshakes, each with a ticket for one of the clients. */
const TICKETS_FOR = 32;
const KIB = 1024;

export function startClients(): Started {
  return start(LOAD_CORE, process.execPath, [fileURLToPath(new URL('./clients.ts', import.meta.url))], { ipc: true });
}

async function order(clients: Started, work: Work): Promise<number> {
  clients.child.send(work);
  const [report] = (await once(clients.child, 'message')) as [Report];
  if ('failure' in report) throw new Error(report.failure);
  return report.done;
}

function settle(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** CPU time for each unit of `scale` turns' work, in µs. */
export async function turn(target: Target, row: Row, bodyBytes: number, scale: number, clients: Started, dir: string): Promise<number> {
  try {
    const { load } = row;
    if (load.tool === 'hold') throw new Error('held connections are measured by memory');
    const count = Math.round(load.count * scale);
    if (load.tool === 'handshakes') return await shakeHands(target, load, count, clients);
    const before = cpuUs(target.started.pid);
    request(target, row, load, count, bodyBytes, dir);
    return (cpuUs(target.started.pid) - before) / count;
  } catch (error) {
    throw new Error(`${target.name}, ${row.name}: ${error instanceof Error ? error.message : String(error)}\n${target.started.stderr()}`, { cause: error });
  }
}

async function shakeHands({ port, started }: Target, { resumes }: Handshakes, count: number, clients: Started): Promise<number> {
  // Tickets are of this proxy, and made before the clock is read.
  if (resumes) await order(clients, { kind: 'handshakes', port, count: TICKETS_FOR, resumes: false });
  await settle(SETTLE_MS);
  const before = cpuUs(started.pid);
  await order(clients, { kind: 'handshakes', port, count, resumes });
  await settle(SETTLE_MS);
  return (cpuUs(started.pid) - before) / count;
}

function request({ port }: Target, { front }: Row, { http, path, connections, streams, fields, isCall }: Requests, count: number, bodyBytes: number, dir: string): void {
  const message = join(dir, 'message');
  if (isCall) writeFileSync(message, CALL_MESSAGE);
  const args = ['h2load', ...(http === 1 ? ['--h1'] : []), ...(isCall ? ['-d', message] : []), '-n', String(count), '-c', String(connections), '-m', String(streams), '-w', WINDOW_BITS, '-W', WINDOW_BITS, ...fields.flatMap((field) => ['-H', field]), `${front === 'tls' ? 'https' : 'http'}://127.0.0.1:${port}${path}`];
  const [program, ...rest] = pinning ? ['taskset', '-c', String(LOAD_CORE), ...args] : args;
  const { stdout } = spawnSync(program!, rest, { encoding: 'utf8' });
  const bytes = Number(/\((\d+)\) data$/m.exec(stdout)?.[1]);
  if (!stdout.includes(`${count} succeeded, 0 failed, 0 errored`) || bytes !== count * bodyBytes) throw new Error(`requests failed, or answers were not whole (${bytes} bytes of ${count * bodyBytes}): ${stdout}`);
}

/** KiB of resident memory for each of many idle connections, in a process that has held none before. */
export async function idleKib({ name, port, started }: Target, row: Row, { http, count }: Held, clients: Started): Promise<number> {
  const hold = { kind: 'hold', port, http, isSecure: row.front === 'tls' } as const;
  const warm = 200;
  await order(clients, { ...hold, count: warm });
  await order(clients, { kind: 'release' });
  await settle(IDLE_SETTLE_MS);
  const before = rssBytes(started.pid);
  await order(clients, { ...hold, count });
  await settle(IDLE_SETTLE_MS);
  const kib = (rssBytes(started.pid) - before) / count / KIB;
  const still = await order(clients, { kind: 'release' });
  if (still !== count) throw new Error(`${name} closed ${count - still} idle connections`);
  return kib;
}
