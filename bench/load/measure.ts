/** One turn of one proxy: the load process is told what to do, and the proxy's CPU time is read before and after. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { LOAD_CORE, pinning, PROXY_CORE, start, type Started } from '../processes.ts';
import type { LoadOrder, LoadReport } from './load-process.ts';
import { coreBusyUs, cpuReadable, cpuUs } from './process-cpu.ts';
import type { LoadResult } from './tally.ts';
import type { Target } from './targets.ts';

export interface Measured extends LoadResult {
  readonly requestsPerSecond: number;
  /** NaN where the system gives no CPU times. */
  readonly cpuUsPerRequest: number;
  /** Share of one core the proxy used: well below 1, and the load or the backend was the limit. */
  readonly proxyBusy: number;
  /** Share of the proxy's core that went to anything but the proxy; NaN if it is not pinned to one. */
  readonly othersBusy: number;
}

/** Time for a proxy to note that the load's connections are gone, so that its doing so is counted too. */
const SETTLE_MS = 50;

function entry(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}

/** The backend of all proxies; `address` is where it listens. */
export async function startOrigin(running: Started[], address = '127.0.0.1'): Promise<number> {
  const origin = start(LOAD_CORE, process.execPath, [entry('./origin.ts'), '0', address], { ipc: true });
  running.push(origin);
  const [message] = (await once(origin.child, 'message')) as [{ port: number }];
  return message.port;
}

export function startLoad(running: Started[]): Started {
  const load = start(LOAD_CORE, process.execPath, [entry('./load-process.ts')], { ipc: true });
  running.push(load);
  return load;
}

export async function measured(load: Started, target: Target, loadOrder: LoadOrder): Promise<Measured> {
  const before = usedUs(target);
  const coreBefore = coreBusyUs(PROXY_CORE);
  const startMs = performance.now();
  const result = await order(load, loadOrder);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const spentUs = usedUs(target) - before;
  const wallUs = (performance.now() - startMs) * 1000;
  const othersUs = pinning ? Math.max(0, coreBusyUs(PROXY_CORE) - coreBefore - spentUs) : Number.NaN;
  return {
    ...result,
    requestsPerSecond: (result.requests / result.elapsedMs) * 1000,
    cpuUsPerRequest: spentUs / result.requests,
    proxyBusy: spentUs / 1000 / result.elapsedMs,
    othersBusy: othersUs / wallUs,
  };
}

function usedUs(target: Target): number {
  return cpuReadable() ? cpuUs(target.started.pid) : Number.NaN;
}

export async function order(load: Started, loadOrder: LoadOrder): Promise<LoadResult> {
  load.child.send(loadOrder);
  const [report] = (await once(load.child, 'message')) as [LoadReport];
  if ('failure' in report) throw new Error(`the load process failed: ${report.failure}\n${load.stderr()}`);
  return report.result;
}
