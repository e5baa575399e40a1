/** A fleet of echo workers with a rollout's part played by the test, and a log that is kept. */
import { randomFillSync } from 'node:crypto';
import { Agent, request } from 'node:http';
import { once } from 'node:events';
import { systemClock, type Clock } from '../../src/base/clock.ts';
import { planPorts } from '../../src/control-plane/rollout/port-plan.ts';
import { idlenessOf, RowBook } from '../../src/control-plane/rollout/row-book.ts';
import { WorkerFleet, type WorkerConfig } from '../../src/control-plane/workers/worker-fleet.ts';
import { EventLog, type LoggedEvent } from '../../src/observe/event-log.ts';
import type { Log } from '../../src/observe/log.ts';
import { BackendTable } from '../../src/shared/backend-table.ts';
import { TicketMemory } from '../../src/shared/ticket-memory.ts';
import { encodeSnapshot } from '../../src/shared/snapshot-codec.ts';
import type { ListenerSpec } from '../../src/shared/snapshot.ts';
import { plainSnapshot } from './plain-snapshot.ts';
import { until } from './weir-process.ts';

export const silentLog: Log = { write() {}, debug() {}, info() {}, warn() {}, error() {} };

export interface Answer {
  readonly worker: number;
  readonly thread: number;
  readonly number: number;
}

export class FleetRig {
  readonly table = new BackendTable();
  readonly events: EventLog;
  readonly fleet: WorkerFleet;
  readonly #book = new RowBook();

  constructor(workers: number, clock: Clock = systemClock) {
    this.events = new EventLog(clock);
    this.fleet = new WorkerFleet({
      clock,
      workers,
      workerUrl: new URL('./echo-worker.ts', import.meta.url),
      pluginsDir: null,
      table: this.table,
      tickets: TicketMemory.create(randomFillSync),
      events: this.events,
      log: silentLog,
      onNotice: () => undefined,
    });
    this.fleet.start();
  }

  async config(number: number, listeners: readonly ListenerSpec[]): Promise<WorkerConfig> {
    const snapshot = plainSnapshot({ number, listeners });
    const { rows, highest } = this.#book.assign(snapshot, idlenessOf(this.table));
    this.#book.commit();
    const { ports } = await planPorts(listeners, null);
    return { number, snapshot: encodeSnapshot(snapshot), rows, highest, ports };
  }

  /** Prepares and commits a config that has to be accepted; returns the port of its first listener. */
  async run(config: WorkerConfig): Promise<number> {
    const { problems, lost } = await this.fleet.prepare(config);
    if (problems.length + lost.length > 0) throw new Error([...problems, ...lost].join('; '));
    await this.fleet.commit();
    return config.ports[0]![0]!;
  }

  /** Resolves with the next event that `isIt`. */
  event(isIt: (event: LoggedEvent) => boolean): Promise<LoggedEvent> {
    return new Promise((resolve) => {
      const end = this.events.subscribe((event) => {
        if (!isIt(event)) return;
        end();
        resolve(event);
      });
    });
  }

  /** Resolves once every worker serves again. */
  async allRunning(): Promise<void> {
    await until(() => this.fleet.views().every(({ state }) => state === 'running'));
  }
}

/** One request over a connection of its own. */
export async function ask(port: number, path = '/'): Promise<Answer> {
  const outgoing = request({ host: '127.0.0.1', port, path, agent: new Agent({ keepAlive: false }) });
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [AsyncIterable<Buffer>];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString()) as Answer;
}
