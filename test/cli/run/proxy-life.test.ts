/** The states between start and end, in virtual time: who is told what, in which order. */
import { expect, test } from 'vitest';
import { ProxyLife } from '../../../src/cli/run/proxy-life.ts';
import { EventLog } from '../../../src/observe/event-log.ts';
import { silentLog } from '../../support/fleet-rig.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const drainSpec = { delayMs: 5000, timeoutMs: 20_000, removedMs: 0 };

function makeLife(): { life: ProxyLife; clock: VirtualClock; told: string[]; finished: () => void } {
  const clock = new VirtualClock();
  const told: string[] = [];
  const finish = Promise.withResolvers<void>();
  const events = new EventLog(clock);
  events.subscribe((event) => event.type === 'proxy-state' && told.push(event.state));
  const life = new ProxyLife({
    clock, events, log: silentLog,
    shed: (on) => told.push(`shed ${on}`),
    finish: () => {
      told.push('listeners close');
      return finish.promise;
    },
    openConnections: () => 0,
  });
  return { life, clock, told, finished: finish.resolve };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('drained and undrained it is what it was before', () => {
  const { life, told } = makeLife();
  life.drain('early');
  life.undrain('');
  expect(life.state).toBe('starting');
  life.up();
  life.drain('update');
  expect(life.drain('again')).toEqual({ kind: 'done' });
  life.undrain('');
  expect(told.filter((each) => !each.startsWith('shed'))).toEqual(['draining', 'starting', 'ready', 'draining', 'ready']);
  expect(told.filter((each) => each.startsWith('shed'))).toEqual(['shed true', 'shed false', 'shed true', 'shed false']);
});

test('first verdicts that come while drained make it ready once undrained', () => {
  const { life } = makeLife();
  life.drain('');
  life.up();
  expect(life.state).toBe('draining');
  life.undrain('');
  expect(life.state).toBe('ready');
});

test('stop: drains for the delay without shedding, then closes listeners and ends when all is finished', async () => {
  const { life, clock, told, finished } = makeLife();
  life.up();
  let ended = false;
  const stop = life.stop('SIGTERM', drainSpec, false).then(() => (ended = true));
  expect(life.state).toBe('draining');
  expect(life.undrain('')).toMatchObject({ kind: 'conflict' });
  await clock.advance(4999);
  expect(told).toEqual(['ready', 'draining']);
  await clock.advance(1);
  expect(told).toEqual(['ready', 'draining', 'stopping', 'listeners close']);
  expect(ended).toBe(false);
  finished();
  await stop;
});

test('stop ends after the time-out though something is open; 0 waits without end', async () => {
  const limited = makeLife();
  const stop = limited.life.stop('SIGINT', drainSpec, true);
  await limited.clock.advance(20_000);
  await stop;
  const unlimited = makeLife();
  let ended = false;
  const other = unlimited.life.stop('SIGINT', { ...drainSpec, timeoutMs: 0 }, true).then(() => (ended = true));
  await unlimited.clock.advance(86_400_000);
  expect(ended).toBe(false);
  unlimited.finished();
  await other;
});

test('asked again without delay, it stops waiting', async () => {
  const { life, told, finished } = makeLife();
  const first = life.stop('SIGTERM', drainSpec, false);
  expect(told).toEqual(['draining']);
  void life.stop('SIGINT', drainSpec, true);
  await turn();
  expect(told).toEqual(['draining', 'stopping', 'listeners close']);
  finished();
  await first;
});
