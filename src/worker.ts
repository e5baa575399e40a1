/**
 * A worker thread: takes snapshots from the main thread and runs the whole
 * data plane for the connections the kernel gives it. It shares memory with
 * the main thread and waits for nobody.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from './base/clock.ts';
import { systemRandom } from './base/random.ts';
import { TICK_MS, TimerWheel } from './base/timer-wheel.ts';
import { WorkerPlane } from './data-plane/worker-plane.ts';
import type { WorkerContext } from './data-plane/live/worker-context.ts';
import { ownAddresses } from './net/own-addresses.ts';
import { TicketKeys } from './net/ticket-keys.ts';
import { chooseReader } from './net/read-from.ts';
import { chooseWriter } from './net/write-to.ts';
import { openAccessLog } from './observe/access-log.ts';
import { BackendTable } from './shared/backend-table.ts';
import { CounterPages } from './shared/counter-pages.ts';
import { LimitTable } from './shared/limit-table.ts';
import { TicketMemory } from './shared/ticket-memory.ts';
import { decodeSnapshot } from './shared/snapshot-codec.ts';
import type { LogSpec } from './shared/snapshot.ts';
import type { FromWorker, ToWorker, WorkerStart } from './shared/thread-messages.ts';

const start = workerData as WorkerStart;
const port = parentPort!;
const send = (message: FromWorker): void => port.postMessage(message);

const context: WorkerContext = {
  index: start.index,
  clock: systemClock,
  random: systemRandom,
  wheel: new TimerWheel(),
  table: new BackendTable(),
  counters: new CounterPages(),
  limits: new LimitTable(start.limits, start.index),
  tickets: new TicketKeys(new TicketMemory(start.tickets)),
  pluginsDir: start.pluginsDir,
  ownAddresses,
  accessLog: null,
  isShedding: false,
  isStopping: false,
  send,
  log: (level, text, fields) => {
    if (level === 'debug' && !wantsDebug) return;
    send({ kind: 'log', level, text, fields });
  },
};
let wantsDebug = false;
let accessSpec: LogSpec['access'] = { format: 'off', to: 'stdout' };
const plane = new WorkerPlane(context);
const beats = new Int32Array(start.heartbeats);

/** A longer gap between two ticks is a stall of ours (a stopped process, a machine that slept): nobody else's deadline is held to it. */
const STALL_MS = 5 * TICK_MS;

let lastTickMs = systemClock.monotonicMs();
let hasSaidStopped = false;
// After the next reads, so that what has arrived in time but late in our turn meets no deadline.
systemClock.every(TICK_MS, () => setImmediate(tick));

function tick(): void {
  Atomics.add(beats, start.index, 1);
  const nowMs = systemClock.monotonicMs();
  if (nowMs - lastTickMs > STALL_MS) lastTickMs = nowMs - TICK_MS;
  // A small lag is caught up with, so that deadlines are those of the clock.
  for (; lastTickMs + TICK_MS <= nowMs; lastTickMs += TICK_MS) context.wheel.advance();
  plane.tick(nowMs);
  context.accessLog?.tick(nowMs);
  if (context.isStopping && !hasSaidStopped && plane.openConnections === 0) void sayStopped();
}

async function sayStopped(): Promise<void> {
  hasSaidStopped = true;
  await context.accessLog?.close();
  send({ kind: 'stopped' });
}

async function prepare(message: Extract<ToWorker, { kind: 'prepare' }>): Promise<void> {
  const { number } = message;
  try {
    await ready;
    context.table.adopt(message.table);
    context.counters.adopt(message.counters);
    const snapshot = await decodeSnapshot(message.snapshot);
    await plane.prepare(snapshot, number, message.rows, message.ports);
    send({ kind: 'prepared', number });
  } catch (error) {
    send({ kind: 'refused', number, problems: [error instanceof Error ? error.message : String(error)] });
  }
}

function commit(number: number): void {
  plane.commit(number);
  const { log } = plane.config!.snapshot;
  wantsDebug = log.level === 'debug' || log.level === 'trace';
  if (log.access.format !== accessSpec.format || log.access.to !== accessSpec.to) {
    void context.accessLog?.close();
    accessSpec = log.access;
    try {
      context.accessLog = openAccessLog(accessSpec, (text, fields) => context.log('warn', text, fields));
    } catch (error) {
      context.accessLog = null;
      context.log('error', 'the access log cannot be opened', { to: accessSpec.to, error: String(error) });
    }
  }
  send({ kind: 'committed', number });
}

const ready = Promise.all([chooseReader(), chooseWriter()]).then(([reader, writer]) => {
  if (writer === 'stream') context.log('warn', 'this runtime takes writes in another way: relaying tcp costs more', {});
  if (reader === 'data') context.log('warn', 'this runtime hands reads on in another way: reading costs a little more', {});
});

/** Prepares run one after another: a later message waits for its turn. */
let queue: Promise<void> = Promise.resolve();

port.on('message', (message: ToWorker) => {
  if (message.kind === 'prepare') queue = queue.then(() => prepare(message));
  else queue = queue.then(() => apply(message));
});

function apply(message: Exclude<ToWorker, { kind: 'prepare' }>): void {
  switch (message.kind) {
    case 'commit':
      return commit(message.number);
    case 'abort':
      return plane.abort();
    case 'shed':
      context.isShedding = message.on;
      return;
    case 'stop':
      return plane.stop();
    case 'cut':
      return plane.cut();
    case 'reopen-logs':
      context.accessLog?.reopen();
      return;
    case 'crash':
      setImmediate(() => {
        throw new Error('crashed on purpose');
      });
  }
}
