/**
 * A worker that speaks shared/thread-messages.ts and really listens, so that
 * supervision can be tested without the data plane. It answers every request
 * with its index, its thread and the snapshot it runs. Listeners by certain
 * names make it misbehave while it prepares: `refuse`, `crash-on-prepare`,
 * `hang-on-prepare`. The path /hang makes it stand still, /wait is answered
 * with a head and no end.
 */
import { createServer, type Server } from 'node:http';
import { threadId, parentPort, workerData } from 'node:worker_threads';
import { BackendTable } from '../../src/shared/backend-table.ts';
import { CounterPages, listenerColumns } from '../../src/shared/counter-pages.ts';
import { decodeSnapshot } from '../../src/shared/snapshot-codec.ts';
import type { Snapshot } from '../../src/shared/snapshot.ts';
import type { FromWorker, ToWorker, WorkerStart } from '../../src/shared/thread-messages.ts';

const start = workerData as WorkerStart;
const beats = new Int32Array(start.heartbeats);
const table = new BackendTable();
const counters = new CounterPages();
const say = (message: FromWorker): void => parentPort!.postMessage(message);
const beat = setInterval(() => Atomics.add(beats, start.index, 1), 20);

let running: { number: number; listeners: Map<string, Server> } = { number: 0, listeners: new Map() };
let prepared: { number: number; snapshot: Snapshot; bound: Map<string, Server> } | null = null;
let closeAnswers = false;

function standStill(): void {
  while (true);
}

async function bind(port: number, host: string | null, row: number): Promise<Server> {
  const listener = createServer((request, response) => {
    if (request.url === '/hang') standStill();
    if (request.url === '/wait') return response.flushHeaders();
    if (closeAnswers) response.setHeader('connection', 'close');
    response.end(JSON.stringify({ worker: start.index, thread: threadId, number: running.number }));
  });
  listener.on('connection', (socket) => {
    countConnection(row, 1);
    socket.on('close', () => countConnection(row, -1));
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  listener.once('error', reject);
  listener.listen({ port, ...(host === null ? {} : { host }), reusePort: true }, resolve);
  await promise;
  return listener;
}

function countConnection(row: number, change: number): void {
  const { cells, base } = counters.listeners.at(row);
  cells[base + listenerColumns.connections]! += change;
  table.listener(row).addConnections(change);
}

async function prepare(message: Extract<ToWorker, { kind: 'prepare' }>): Promise<void> {
  const { number, rows } = message;
  table.adopt(message.table);
  counters.adopt(message.counters);
  const snapshot = await decodeSnapshot(message.snapshot);
  const bound = new Map<string, Server>();
  try {
    for (const [at, { name, binds }] of snapshot.listeners.entries()) {
      if (name === 'crash-on-prepare') throw new TypeError('crashed while preparing', { cause: 'test' });
      if (name === 'hang-on-prepare') standStill();
      for (const [index, { host }] of binds.entries()) {
        const port = message.ports[at]![index]!;
        const key = `${host} ${port}`;
        if (!running.listeners.has(key)) bound.set(key, await bind(port, host, rows.listeners[at]!));
      }
      if (name === 'refuse') throw new Error('listener refuse: refused by the test');
    }
  } catch (error) {
    if (error instanceof TypeError) throw error;
    for (const listener of bound.values()) listener.close();
    return say({ kind: 'refused', number, problems: [(error as Error).message] });
  }
  for (const key of running.listeners.keys()) {
    const kept = snapshot.listeners.some(({ binds }, at) => binds.some(({ host }, index) => `${host} ${message.ports[at]![index]}` === key));
    if (kept) bound.set(key, running.listeners.get(key)!);
  }
  prepared = { number, snapshot, bound };
  say({ kind: 'prepared', number });
}

function commit(number: number): void {
  const { bound } = prepared!;
  for (const [key, listener] of running.listeners) if (!bound.has(key)) listener.close();
  running = { number, listeners: bound };
  prepared = null;
  say({ kind: 'committed', number });
}

function abort(): void {
  for (const [key, listener] of prepared?.bound ?? []) if (!running.listeners.has(key)) listener.close();
  prepared = null;
}

async function stop(): Promise<void> {
  await Promise.all([...running.listeners.values()].map((listener) => new Promise((resolve) => listener.close(resolve))));
  say({ kind: 'stopped' });
}

parentPort!.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'prepare':
      return void prepare(message);
    case 'commit':
      return commit(message.number);
    case 'abort':
      return abort();
    case 'shed':
      closeAnswers = message.on;
      return;
    case 'stop':
      return void stop();
    case 'cut':
      return; // its connections end with their answers
    case 'reopen-logs':
      return say({ kind: 'log', level: 'info', text: 'reopened', fields: { worker: start.index } });
    case 'crash':
      clearInterval(beat);
      throw new Error('crashed for a test');
  }
});
