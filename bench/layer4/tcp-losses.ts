/** Connections that clients lose while a Weir of two workers is changed under 500 new ones a second. */
import { once } from 'node:events';
import { freePort } from '../../test/support/free-port.ts';
import { statusOf } from '../../test/support/visitor.ts';
import { until, WeirProcess } from '../../test/support/weir-process.ts';
import type { Started } from '../processes.ts';
import type { Figure } from '../tier/figure.ts';
import { order } from './tcp-costs.ts';
import { weirConfig, type Behind } from './tcp-peers.ts';

const PER_SECOND = 500;
const PHASE_MS = 4000;

interface Change {
  readonly what: string;
  /** Made so often, evenly over the phase. */
  readonly times: number;
  readonly make: (weir: WeirProcess, time: number) => Promise<unknown>;
  readonly note?: string;
}

function later(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

export async function measureLosses(behind: Behind, second: number, load: Started): Promise<Figure[]> {
  const front = { origin: await freePort(), redis: await freePort(), admin: await freePort() };
  const config = (more: string, backends: readonly number[]): string =>
    weirConfig(front, behind, more).replace(`origin: { backends: ["127.0.0.1:${behind.origin}"] }`, `origin: { backends: [${backends.map((port) => `"127.0.0.1:${port}"`).join(', ')}] }`);
  const both = [behind.origin, second];
  const weir = await WeirProcess.start(config('', both), { env: { WEIR_TEST_HOOKS: '1' }, args: ['--workers', '2'] });
  const changes: readonly Change[] = [
    { what: 'nothing changed', times: 5, make: () => Promise.resolve() },
    { what: 'reloads', times: 5, make: (_weir, time) => weir.edit(config(`drain: { delay: ${time + 1}s }`, both)) },
    { what: 'a backend removed and added', times: 5, make: (_weir, time) => weir.edit(config('', time % 2 === 0 ? [behind.origin] : both)) },
    { what: 'workers replaced', times: 2, note: 'each of two died once; what a dead worker had accepted is its own to lose, what the kernel had queued for it goes to the other with net.ipv4.tcp_migrate_req=1', make: () => replaceWorker(weir) },
  ];
  const figures: Figure[] = [];
  try {
    for (const change of changes) figures.push(await lossesOf(change, weir, front.origin, load));
  } finally {
    await weir.stop();
  }
  return figures;
}

async function lossesOf({ what, times, make, note }: Change, weir: WeirProcess, port: number, load: Started): Promise<Figure> {
  await order(load, { kind: 'rate', port, perSecond: PER_SECOND });
  for (let time = 0; time < times; time++) await Promise.all([make(weir, time), later(PHASE_MS / times)]);
  const { done, lost } = await order(load, { kind: 'stop' });
  const count = Object.values(lost).reduce((sum, each) => sum + each, 0);
  const kinds = Object.entries(lost).map(([cause, each]) => `${cause} ${each}`).join(', ');
  return { what: `lost: ${what}`, unit: 'connections', values: [count], atMost: 0, note: `of ${done}${kinds === '' ? '' : `: ${kinds}`}${note === undefined ? '' : `; ${note}`}` };
}

async function replaceWorker(weir: WeirProcess): Promise<void> {
  const from = weir.log.length;
  weir.signal('SIGUSR2');
  await weir.line(({ text }) => text === 'worker died', from);
  await until(async () => (await statusOf(weir)).workers.every(({ state }) => state === 'running'));
}

/** Where a process started with IPC says it listens. */
export async function portOf({ child }: Started): Promise<number> {
  const [port] = (await once(child, 'message')) as [number];
  return port;
}
