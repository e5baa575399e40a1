/**
 * Preloaded into the proxy under measurement (`--import`), where it runs in
 * the main thread and in each thread it starts: measures how long each loop
 * stood still. The product knows nothing of it.
 *
 * Each thread keeps a timer of PERIOD_MS. When it fires late, the loop did not
 * turn meanwhile: because one turn was long, or because the machine had given
 * the core to somebody else. The thread's own CPU time between two firings
 * tells which: it is what one turn took at most, PERIOD_MS included.
 *
 * Whoever connects to the socket SCALE_PROBE names is told what came since the
 * last one did, as JSON, with the CPU time of the process so far.
 */
import { createServer } from 'node:net';
import { getEnvironmentData, isMainThread, setEnvironmentData, workerData } from 'node:worker_threads';

const PERIOD_MS = 5;
const SLOTS = 64;
const COLUMNS = 4;
const KEY = 'scale-probe';

/** Of one thread, since the last report. */
export interface ThreadReport {
  /** `main`, `worker N` or `loader` (the threads that load a config, one after another). */
  readonly thread: string;
  /** Longest time between two turns by the wall, PERIOD_MS taken off. */
  readonly stillMs: number;
  /** Most CPU time the thread itself used between two firings. */
  readonly busyMs: number;
  /** CPU time of the thread itself. What a process used beyond its threads' is the compiler's and collector's. */
  readonly cpuMs: number;
}

export interface ProbeReport {
  /** Of the process and all its threads, those that ended included, since its start. */
  readonly cpuMs: number;
  readonly rssMiB: number;
  readonly threads: readonly ThreadReport[];
}

if (isMainThread) setEnvironmentData(KEY, new SharedArrayBuffer(SLOTS * COLUMNS * Float64Array.BYTES_PER_ELEMENT));
/** By thread: 1 if it is in use, stillMs, busyMs, cpuMs. Slot 0 is main's, 1 that of all loaders, then the workers'. */
const cells = new Float64Array(getEnvironmentData(KEY) as SharedArrayBuffer);

function slotOf(): number {
  if (isMainThread) return 0;
  const index = (workerData as { index?: unknown } | null)?.index;
  return typeof index === 'number' ? index + 2 : 1;
}

const base = slotOf() * COLUMNS;
cells[base] = 1;
let lastMs = performance.now();
let lastCpuMs = 0;

function tick(): void {
  const nowMs = performance.now();
  const { user, system } = process.threadCpuUsage();
  const cpuMs = (user + system) / 1000;
  cells[base + 1] = Math.max(cells[base + 1]!, nowMs - lastMs - PERIOD_MS);
  cells[base + 2] = Math.max(cells[base + 2]!, cpuMs - lastCpuMs);
  cells[base + 3]! += cpuMs - lastCpuMs;
  lastMs = nowMs;
  lastCpuMs = cpuMs;
}

setInterval(tick, PERIOD_MS).unref();
if (!isMainThread) process.on('exit', tick);

function report(): ProbeReport {
  const { user, system } = process.cpuUsage();
  const threads: ThreadReport[] = [];
  for (let slot = 0; slot < SLOTS; slot++) {
    const at = slot * COLUMNS;
    if (cells[at] !== 1) continue;
    const thread = slot === 0 ? 'main' : slot === 1 ? 'loader' : `worker ${slot - 2}`;
    threads.push({ thread, stillMs: cells[at + 1]!, busyMs: cells[at + 2]!, cpuMs: cells[at + 3]! });
    cells.fill(0, at + 1, at + COLUMNS);
  }
  return { cpuMs: (user + system) / 1000, rssMiB: process.memoryUsage.rss() / 2 ** 20, threads };
}

const socket = process.env['SCALE_PROBE'];
if (isMainThread && socket !== undefined) {
  const server = createServer((connection) => connection.end(JSON.stringify(report())));
  server.listen(socket).unref();
}
