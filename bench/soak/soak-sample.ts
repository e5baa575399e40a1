/** What a running proxy has in use at one moment. Linux only: descriptors and RSS come from /proc. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { ProbedProxy } from '../../test/support/probed-memory.ts';
import { metricsOf } from '../../test/support/visitor.ts';

const MIB = 2 ** 20;
const LOOKS = 20;
const LOOK_PAUSE_MS = 25;

export interface SoakSample {
  readonly second: number;
  readonly rssMiB: number;
  /** Heap and buffers of all threads. */
  readonly heldMiB: number;
  readonly descriptors: number;
  readonly clients: number;
  readonly backendConnections: number;
  readonly inFlight: number;
}

export async function takeSample(proxy: ProbedProxy, second: number, ask: 'look' | 'collect'): Promise<SoakSample> {
  const { threads } = await proxy.memory(ask);
  const { pid } = proxy.weir;
  const metrics = await metricsOf(proxy.weir);
  const sum = (family: string): number => [...metrics].filter(([name]) => name.startsWith(`${family}{`)).reduce((total, [, value]) => total + value, 0);
  const descriptors = await fewestDescriptors(pid);
  return {
    second,
    rssMiB: (Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) * 1024) / MIB,
    heldMiB: threads.reduce((total, { heldBytes }) => total + heldBytes, 0) / MIB,
    descriptors,
    clients: sum('weir_listener_connections'),
    backendConnections: sum('weir_backend_connections'),
    inFlight: sum('weir_backend_in_flight'),
  };
}

/** The connections of this look itself take a moment to close. */
async function fewestDescriptors(pid: number): Promise<number> {
  let fewest = Infinity;
  for (let i = 0; i < LOOKS; i++) {
    if (i > 0) await pause(LOOK_PAUSE_MS);
    fewest = Math.min(fewest, readdirSync(`/proc/${pid}/fd`).length);
  }
  return fewest;
}

/** Failures that no client and no origin can be blamed for. */
export async function ownFailures({ weir }: ProbedProxy): Promise<Readonly<Record<string, number>>> {
  const metrics = await metricsOf(weir);
  const sum = (isIt: (name: string) => boolean): number => [...metrics].filter(([name]) => isIt(name)).reduce((total, [, value]) => total + value, 0);
  return {
    internalErrors: sum((name) => name.startsWith('weir_http_errors_total{') && name.includes('error="internal"')),
    workerRestarts: sum((name) => name.startsWith('weir_worker_restarts_total')),
    errorLines: weir.log.filter(({ level }) => level === 'error').length,
  };
}
