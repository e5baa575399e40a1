/** perBackend holds over all workers, and connections at rest in one worker do not keep the other's requests out. */
import { expect, test } from 'vitest';
import type { NamedBackend} from '../../support/named-backend.ts';
import { startBackends } from '../../support/named-backend.ts';
import { visitorsOnBoth, type Visitor } from '../../support/visitor.ts';
import { WeirProcess } from '../../support/weir-process.ts';

function config(backends: readonly NamedBackend[], perBackend: number): string {
  return `
listeners:
  web: { bind: "127.0.0.1:0", pool: web }
pools:
  web:
    backends: ${JSON.stringify(backends.map(({ address }) => address))}
    # An hour at rest: what lets a connection go here is that another worker wants its place.
    connections: { perBackend: ${perBackend}, idle: 1h }
admin: { bind: "127.0.0.1:0" }
`;
}

/** Held requests of each visitor; resolves once all are at a backend or answered. */
async function hold(visitors: readonly Visitor[], backend: NamedBackend): Promise<{ statuses: Promise<number[]> }> {
  let refused = 0;
  const held = backend.held.length;
  const answers = visitors.map(async (visitor) => {
    const { status } = await visitor.ask('/hold');
    if (status !== 200) refused++;
    return status;
  });
  while (backend.held.length - held + refused < visitors.length) await new Promise((resolve) => setImmediate(resolve));
  return { statuses: Promise.all(answers) };
}

test('the limit holds over both workers; what is over it goes elsewhere, or is 503', async () => {
  const [first, second] = (await startBackends('first', 'second')) as [NamedBackend, NamedBackend];
  await using weir = await WeirProcess.start(config([first], 3));
  const [near, far] = await visitorsOnBoth(weir.port(), 3);
  const { statuses } = await hold([near[0]!, far[0]!, near[1]!, far[1]!, near[2]!, far[2]!], first);
  expect(first.held).toHaveLength(3);
  expect(first.socketsMost).toBe(3);

  // Another backend takes what this one may not; in-flight requests and their places survive the reload.
  expect(await weir.edit(config([first, second], 3))).toMatchObject({ text: 'config runs' });
  first.release();
  expect((await statuses).sort()).toEqual([200, 200, 200, 503, 503, 503]);
  const again = near.map((visitor) => visitor.ask('/hold')).concat(far.map((visitor) => visitor.ask('/hold')));
  await Promise.race([first.until(() => first.held.length + second.held.length === 6), second.until(() => first.held.length + second.held.length === 6)]);
  expect([first.socketsMost, second.socketsMost]).toEqual([3, 3]);
  first.release();
  second.release();
  expect((await Promise.all(again)).map(({ status }) => status)).toEqual(Array(6).fill(200));
  for (const visitor of [...near, ...far]) visitor.close();
  await first.stop();
  await second.stop();
});

test('connections at rest in one worker give way to the other', async () => {
  const [backend] = (await startBackends('only')) as [NamedBackend];
  await using weir = await WeirProcess.start(config([backend], 4));
  const [near, far] = await visitorsOnBoth(weir.port(), 4);
  // One worker's burst leaves connections at rest; they are all but one of the places there are.
  const burst = await hold(near, backend);
  backend.release();
  await burst.statuses;
  await backend.until(() => backend.sockets.size <= 3);

  // The other worker's burst may be too early for them to have given way, but not for long.
  while (true) {
    const { statuses } = await hold(far, backend);
    backend.release();
    if ((await statuses).every((status) => status === 200)) break;
  }
  expect(backend.socketsMost).toBe(4);
  for (const visitor of [...near, ...far]) visitor.close();
  await backend.stop();
});
