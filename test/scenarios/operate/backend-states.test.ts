/** What an operator says of one backend: it takes nothing new, finishes what it has, and it holds until taken back, also over a restart. */
import { expect, test } from 'vitest';
import { startBackends, type NamedBackend } from '../../support/named-backend.ts';
import { statusOf, untilStatus, visit, Visitor } from '../../support/visitor.ts';
import { weirCommand } from '../../support/weir-command.ts';
import { WeirProcess } from '../../support/weir-process.ts';

function config(addresses: readonly string[]): string {
  return `
listeners:
  web: { bind: "127.0.0.1:0", pool: web }
pools:
  web:
    backends: [${addresses.join(', ')}]
    health: { type: http, path: /health, interval: 100ms, timeout: 2s }
admin: { bind: "127.0.0.1:0" }
drain: { delay: 0 }
`;
}

async function served(weir: WeirProcess, count = 12): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const { status, backend } = await visit(weir.port());
    expect(status).toBe(200);
    counts[backend] = (counts[backend] ?? 0) + 1;
  }
  return counts;
}

type Change = (backend: NamedBackend, body: unknown) => ReturnType<WeirProcess['admin']>;

function changer(weir: WeirProcess): Change {
  return (backend, body) => weir.admin(`/api/v1/pools/web/backends/${backend.address}/state`, 'POST', body);
}

test('a drained backend finishes what it has and gets nothing new, until undrain', async () => {
  const [a, b] = (await startBackends('a', 'b')) as [NamedBackend, NamedBackend];
  await using weir = await WeirProcess.start(config([`"${a.address}"`, `"${b.address}"`]));
  const command = (name: string, backend: NamedBackend, ...flags: string[]): ReturnType<typeof weirCommand> =>
    weirCommand(name, `web/${backend.address}`, '--admin', `127.0.0.1:${weir.adminPort}`, ...flags);

  using visitor = new Visitor(weir.port());
  const held = visitor.ask('/hold');
  await Promise.race([a.until(() => a.held.length === 1), b.until(() => b.held.length === 1)]);
  const [busy, other] = a.held.length === 1 ? [a, b] : [b, a];
  expect(await command('drain', busy, '--reason', 'new disk')).toEqual({ code: 0, out: `web/${busy.address}: drain, weight 1, 1 in flight\n`, said: '' });
  expect(await weir.line(({ text, state }) => text === 'backend state set' && state === 'drain')).toMatchObject({ pool: 'web', address: busy.address, reason: 'new disk' });
  expect(await served(weir)).toEqual({ [other.name]: 12 });
  busy.release();
  expect(await held).toMatchObject({ status: 200, backend: busy.name });
  await untilStatus(weir, ({ pools }) => pools['web']!.inFlight === 0);
  expect(await command('undrain', busy)).toMatchObject({ code: 0 });
  expect(Object.keys(await served(weir)).sort()).toEqual(['a', 'b']);
  await a.stop();
  await b.stop();
});

test('weight and disabled hold over a restart', async () => {
  const [a, b] = (await startBackends('a', 'b')) as [NamedBackend, NamedBackend];
  const yaml = config([`"${a.address}"`, `"${b.address}"`]);
  await using weir = await WeirProcess.start(yaml);
  const set = changer(weir);
  await set(a, { weight: 3 });
  // Each of two workers keeps the shares of 3 to 1 to within a turn.
  expect(Math.abs((await served(weir, 40))['a']! - 30)).toBeLessThanOrEqual(3);

  // Disabled is not even probed.
  await set(b, { state: 'disabled' });
  await untilStatus(weir, ({ pools }) => pools['web']!.backends![1]!.verdict === 'unknown');
  expect(await served(weir)).toEqual({ a: 12 });
  const probes = (): number => b.asked.filter(({ path }) => path === '/health').length;
  const before = probes();
  weir.signal('SIGTERM');
  await weir.exited;

  await using again = await WeirProcess.start(yaml, { folder: weir.folder });
  expect(await served(again)).toEqual({ a: 12 });
  expect((await statusOf(again)).pools['web']!.backends).toMatchObject([{ state: 'ready', weight: 3 }, { state: 'disabled', verdict: 'unknown' }]);
  expect(probes()).toBe(before);
  await a.stop();
  await b.stop();
});

test('what the file keeps out is let in there: 409, and the stricter of both holds', async () => {
  const [a, b] = (await startBackends('a', 'b')) as [NamedBackend, NamedBackend];
  await using weir = await WeirProcess.start(config([`"${a.address}"`, `{ address: "${b.address}", state: drain }`]));
  const set = changer(weir);
  expect(await set(b, { state: 'ready' })).toMatchObject({ status: 409, body: expect.stringContaining('state: drain') });
  expect(await set(b, { state: 'disabled' })).toMatchObject({ status: 200 });
  expect((await statusOf(weir)).pools['web']!.backends![1]).toMatchObject({ state: 'disabled' });
  expect(await set(b, { weight: 7 })).toMatchObject({ status: 200 });
  expect(await set(b, { state: 'drain', weight: null })).toMatchObject({ status: 200 });
  expect((await statusOf(weir)).pools['web']!.backends![1]).toMatchObject({ state: 'drain', weight: 1 });
  expect(await served(weir)).toEqual({ a: 12 });
  // Lifted in the file the operator's drain still stands, until it is taken back.
  await weir.edit(config([`"${a.address}"`, `"${b.address}"`]));
  expect(await served(weir)).toEqual({ a: 12 });
  expect(await set(b, { state: 'ready' })).toMatchObject({ status: 200 });
  expect(Object.keys(await served(weir)).sort()).toEqual(['a', 'b']);
  for (const [path, body, status] of [['nowhere', { state: 'drain' }, 404], [a.address, { state: 'away' }, 400], [a.address, { weight: 1001 }, 400], [a.address, {}, 400]] as const) {
    expect((await weir.admin(`/api/v1/pools/web/backends/${path}/state`, 'POST', body)).status).toBe(status);
  }
  await a.stop();
  await b.stop();
});
