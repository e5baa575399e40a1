/** Connections that clients lose while a Weir of two workers is changed under 500 new ones a second. */
import { once } from 'node:events';
import { freePort } from '../../test/support/free-port.ts';
import { WeirProcess } from '../../test/support/weir-process.ts';
import type { Started } from '../processes.ts';
import type { Figure } from '../tier/figure.ts';
import { order } from './tcp-costs.ts';
import { weirConfig, type Behind } from './tcp-peers.ts';

const PER_SECOND = 500;
const PHASE_MS = 4000;
const TIMES = 5;

interface Change {
  readonly what: string;
  /** Made TIMES times, evenly over the phase. */
  make(weir: WeirProcess, time: number): Promise<unknown>;
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
    { what: 'nothing changed', make: () => Promise.resolve() },
    { what: 'reloads', make: (_weir, time) => weir.edit(config(`drain: { delay: ${time + 1}s }`, both)) },
    { what: 'a backend removed and added', make: (_weir, time) => weir.edit(config('', time % 2 === 0 ? [behind.origin] : both)) },
    { what: 'workers replaced', note: 'connections the dead worker had accepted or queued are its own to lose', make: () => replaceWorker(weir) },
  ];
  const figures: Figure[] = [];
  for (const change of changes) {
    await order(load, { kind: 'rate', port: front.origin, perSecond: PER_SECOND });
    for (let time = 0; time < TIMES; time++) {
      await Promise.all([change.make(weir, time), later(PHASE_MS / TIMES)]);
    }
    const { done, lost } = await order(load, { kind: 'stop' });
    const count = Object.values(lost).reduce((sum, each) => sum + each, 0);
    const kinds = Object.entries(lost).map(([cause, each]) => `${cause} ${each}`).join(', ');
    figures.push({ what: `lost: ${change.what}`, unit: 'connections', values: [count], atMost: 0, note: `of ${done}${kinds === '' ? '' : `: ${kinds}`}${change.note === undefined ? '' : `; ${change.note}`}` });
  }
  await weir.stop();
  return figures;
}

async function replaceWorker(weir: WeirProcess): Promise<void> {
  const from = weir.log.length;
  weir.signal('SIGUSR2');
  await weir.line(({ text }) => text === 'worker died', from);
}

/** Where a process started with IPC says it listens. */
export async function portOf({ child }: Started): Promise<number> {
  const [port] = (await once(child, 'message')) as [number];
  return port;
}
