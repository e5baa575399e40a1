/** Real proxies over one Redis share one config: published, tried on, taken back, and kept when Redis is gone. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ConfigVersionsAnswer } from '../../../src/control-plane/admin/answers.ts';
import { COMMITTED_FILE } from '../../../src/control-plane/rollout/last-known-good.ts';
import { allAnswer, tierConfig, TierProcesses } from '../../support/tier-processes.ts';
import { until, type WeirProcess } from '../../support/weir-process.ts';

const versionsOf = async (proxy: WeirProcess): Promise<ConfigVersionsAnswer> => JSON.parse((await proxy.admin('/api/v1/config/versions')).body) as ConfigVersionsAnswer;

async function fileOf(tier: TierProcesses, name: string, yaml: string): Promise<string> {
  const path = join(tier.folder, name);
  await writeFile(path, yaml);
  return path;
}

/** Number of the committed version that a member would start from without the store. */
async function keptVersion(tier: TierProcesses, node: string): Promise<number> {
  return (JSON.parse(await readFile(join(tier.stateDir(node), COMMITTED_FILE), 'utf8')) as { number: number }).number;
}

test('a push reaches all; history, diff and rollback tell and undo it', { timeout: 120_000 }, async () => {
  await using tier = await TierProcesses.start();
  const config = (body: string): string => tierConfig(tier.redis.port, body);
  const all = await tier.up(['a', 'b', 'c'], config('one'));
  await allAnswer(all, 'one');
  const [a, b, c] = all as [WeirProcess, WeirProcess, WeirProcess];

  const pushed = await tier.command(b, 'push', await fileOf(tier, 'two.yaml', config('two')));
  expect(pushed).toMatchObject({ code: 0, out: 'version 2 is committed\n' });
  await allAnswer(all, 'two');
  // A fourth proxy whose file is another takes the tier's config, and says so.
  const late = await tier.spawn('late', config('late'));
  await late.line(({ text }) => text === 'ready');
  await allAnswer([late], 'two');
  expect(late.log.find(({ text }) => text.startsWith('the file differs'))).toMatchObject({ version: 2, diff: expect.stringContaining('"late"') });

  expect(await tier.command(a, 'push', await fileOf(tier, 'three.yaml', config('three')), '--parent', '1')).toMatchObject({ code: 1, said: expect.stringContaining('ersion 2 has been committed meanwhile') });
  const history = await tier.command(c, 'history');
  expect(history.out.split('\n').slice(1, 3).map((line) => line.trim().split(/\s+/).slice(0, 2))).toEqual([['2', 'head'], ['1', expect.stringMatching(/^20/)]]);
  expect((await tier.command(c, 'diff', '1', '2')).out).toContain('+  web: { bind: "127.0.0.1:0", routes: [{ respond: { status: 200, body: "two" } }] }');
  expect(await tier.command(c, 'rollback', '1')).toMatchObject({ code: 0, out: 'version 3, the content of 1, is committed\n' });
  await allAnswer([...all, late], 'one');
  expect((await versionsOf(a)).items[0]).toMatchObject({ version: 3, rollbackOf: 1, running: true, state: 'committed' });
});

test('a config that one of them cannot run is run by none, and the publisher is told by whom and why', { timeout: 120_000 }, async () => {
  await using tier = await TierProcesses.start();
  const config = (body: string, more = ''): string => tierConfig(tier.redis.port, body, more);
  const [a, b] = (await tier.up(['a', 'b'], config('one'))) as [WeirProcess, WeirProcess];
  // Only b has a listener there already, of another process: a's own port of the admin interface.
  const taken = await fileOf(tier, 'taken.yaml', config('two').replace('web: {', `other: { bind: "127.0.0.1:${b.adminPort}" }\n  web: {`));
  const refused = await tier.command(a, 'push', taken);
  expect(refused.code).toBe(1);
  expect(refused.said).toContain(`127.0.0.1:${b.adminPort} is in use`);
  const literal = await fileOf(tier, 'literal.yaml', config('two').replace('admin: { bind: "127.0.0.1:0" }', 'admin: { bind: "127.0.0.1:0", token: hunter22 }'));
  const secret = await tier.command(a, 'push', literal);
  expect(secret.code).toBe(1);
  expect(secret.said).toContain('admin.token is written into the config');
  expect(secret.said).not.toContain('hunter22');
  await allAnswer([a, b], 'one');
  expect((await versionsOf(b)).head).toBe(1);
});

test('a canary serves some of them until it has proved itself, and one that fails is taken back', { timeout: 120_000 }, async () => {
  await using tier = await TierProcesses.start();
  const all = await tier.up(['a', 'b', 'c'], tierConfig(tier.redis.port, 'one'));
  const pushing = tier.command(all[0]!, 'push', await fileOf(tier, 'two.yaml', tierConfig(tier.redis.port, 'two')), '--canary', '30%', '--for', '3s');
  const bodies = async (): Promise<string[]> => (await Promise.all(all.map((proxy) => proxy.get('/')))).map(({ body }) => body).sort();
  await until(async () => (await bodies()).join() === 'one,one,two');
  expect(await pushing).toMatchObject({ code: 0, out: expect.stringContaining('version 2 is committed') });
  await allAnswer(all, 'two');

  const broken = tierConfig(tier.redis.port, 'three').replace('status: 200', 'status: 500');
  const failing = tier.command(all[1]!, 'push', await fileOf(tier, 'three.yaml', broken), '--canary', '30%', '--for', '30s');
  let isDone = false;
  void failing.then(() => (isDone = true));
  while (!isDone) await Promise.all(all.map((proxy) => proxy.get('/').catch(() => undefined)));
  expect(await failing).toMatchObject({ code: 1, said: expect.stringContaining('fails more than the rest') });
  await allAnswer(all, 'two');
});

test('an edit of one proxy’s file is a publish; one that does not follow the tier is refused with what differs', { timeout: 120_000 }, async () => {
  await using tier = await TierProcesses.start();
  const config = (body: string): string => tierConfig(tier.redis.port, body);
  const [a, b] = (await tier.up(['a', 'b'], config('one'))) as [WeirProcess, WeirProcess];
  await a.edit(config('two'));
  await allAnswer([a, b], 'two');
  // Its workers answer by a version a moment before it says so, and what it says next is to be about the edit.
  await b.line(({ text, version }) => text === 'config runs' && version === 2);
  // b's file still is version 1.
  const refused = await b.edit(config('three'));
  expect(refused).toMatchObject({ text: expect.stringMatching(/^config refused/), reason: expect.stringContaining('it was edited from version 1') });
  expect(refused['reason']).toContain('+  web: { bind: "127.0.0.1:0", routes: [{ respond: { status: 200, body: "three" } }] }');
  await allAnswer([a, b], 'two');
  // Brought up to the tier's, it follows again.
  expect(await b.edit(config('two'))).toMatchObject({ text: 'config is unchanged' });
  await b.edit(config('four'));
  await allAnswer([a, b], 'four');
});

test('without Redis all serve on; one that restarts runs what it ran; edits wait, and Redis come back empty has all of it again', { timeout: 120_000 }, async () => {
  await using tier = await TierProcesses.start();
  const config = (body: string): string => tierConfig(tier.redis.port, body);
  const [a, b] = (await tier.up(['a', 'b'], config('one'))) as [WeirProcess, WeirProcess];
  expect((await tier.command(a, 'push', await fileOf(tier, 'two.yaml', config('two')))).code).toBe(0);
  await allAnswer([a, b], 'two');
  // A version runs a moment before it is on the disk, and longer where the disk is busy.
  await until(async () => (await keptVersion(tier, 'b')) === 2);
  const { port } = tier.redis;
  await tier.redis.stop();
  b.signal('SIGKILL');
  await b.exited;
  const back = await tier.spawn('b', config('one'));
  await back.line(({ text }) => text === 'ready');
  await allAnswer([a, back], 'two');
  expect((await back.admin('/readyz')).status).toBe(200);
  // Until its lease has run out it still goes by the store's last word, and would refuse an edit that does not follow it.
  await until(async () => (JSON.parse((await a.admin('/api/v1/status')).body) as { controlPlane: string }).controlPlane === 'autonomous');
  await writeFile(`${a.file}.new`, config('three'));
  await rename(`${a.file}.new`, a.file);
  await a.line(({ text }) => text === 'the edit waits');
  expect(await tier.command(a, 'push', await fileOf(tier, 'four.yaml', config('four')))).toMatchObject({ code: 1, said: expect.stringContaining('store is away') });
  await tier.restartRedis(port);
  await until(async () => {
    const { status, body } = await a.admin('/api/v1/config/versions');
    return status === 200 && (JSON.parse(body) as ConfigVersionsAnswer).items.some(({ version }) => version === 2);
  });
  const { history } = await versionsOf(a);
  // The other one comes back to the store at its own heartbeat.
  await until(async () => (await back.admin('/api/v1/config/versions')).status === 200 && (await versionsOf(back)).history === history);
});
