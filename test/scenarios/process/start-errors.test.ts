/** What keeps a proxy from starting is said in words, with the exit code that scripts go by. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, test, vi } from 'vitest';
import { respondingConfig, WeirProcess } from '../../support/weir-process.ts';

// Whole processes start and stop here, and share the machine's cores with other tests.
vi.setConfig({ testTimeout: 90_000 });

test('a file that is not there: 1', async () => {
  await using weir = await WeirProcess.spawn('', { file: '/nowhere/weir.yaml' });
  expect(await weir.exited).toEqual({ code: 1, signal: null });
  expect(weir.said).toContain('/nowhere/weir.yaml');
  expect(weir.said).toContain('there is no such file');
});

test('a config with errors: 1, all of them with their places', async () => {
  await using weir = await WeirProcess.spawn('listeners:\n  web: { bind: ":99999", pool: none }\npols: {}\n');
  expect(await weir.exited).toEqual({ code: 1, signal: null });
  expect(weir.said).toContain('weir.yaml:2:');
  expect(weir.said).toContain('weir.yaml:3:1');
});

test("the admin interface's port taken: 1, and no listener was left open", async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  await using weir = await WeirProcess.spawn(respondingConfig('x'), { args: ['--admin', `127.0.0.1:${port}`] });
  expect(await weir.exited).toEqual({ code: 1, signal: null });
  expect(weir.said).toContain('admin');
  other.close();
});

test('a flag that cannot be, or that there is not: 2', async () => {
  for (const args of [['--workers', 'many'], ['--node', 'a b'], ['--zone', 'a b'], ['--bogus']]) {
    await using weir = await WeirProcess.spawn(respondingConfig('x'), { args });
    expect(await weir.exited).toEqual({ code: 2, signal: null });
  }
});

test('flags come from the environment too, and the flag wins', async () => {
  await using weir = await WeirProcess.start(respondingConfig('x'), { args: ['--node', 'flagged'], env: { WEIR_NODE: 'from-env', WEIR_ADMIN: '127.0.0.1:0' } });
  expect(JSON.parse((await weir.admin('/api/v1/status')).body)).toMatchObject({ node: 'flagged' });
});
