/** An edit takes effect whole or not at all; what is refused leaves everything as it was, and says so. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { ask, respondingConfig, WeirProcess } from '../../support/weir-process.ts';

// Each reload starts a thread, and these tests do several.
vi.setConfig({ testTimeout: 90_000 });

async function lastReloadSuccessful(weir: WeirProcess): Promise<string> {
  return /^weir_config_last_reload_successful (\d)$/m.exec((await weir.admin('/metrics')).body)![1]!;
}

test('refused edits keep the former config; the next good one is taken', async () => {
  await using weir = await WeirProcess.start(respondingConfig('one'));
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const taken = (other.address() as AddressInfo).port;
  const twoListeners = respondingConfig('no').replace('pools:', `  extra: { bind: "127.0.0.1:${taken}", routes: [{ respond: { status: 204 } }] }\npools:`);
  const refusals: readonly (readonly [yaml: string, reason: string])[] = [
    [respondingConfig('no', 'pols: {}'), 'the config has errors'],
    [twoListeners, `listener extra: 127.0.0.1:${taken} is in use by another process`],
    [respondingConfig('no', 'tier: { name: another }'), 'tier.name cannot change while the proxy runs'],
    [respondingConfig('no').replace('admin: { bind: "127.0.0.1:0" }', `admin: { bind: "127.0.0.1:${taken}" }`), 'admin'],
  ];
  const port = weir.port();
  for (const [yaml, reason] of refusals) {
    expect(await weir.edit(yaml)).toMatchObject({ text: 'config refused, the former one goes on', reason: expect.stringContaining(reason) });
    expect((await ask(port, '/')).body).toBe('one');
    expect(await lastReloadSuccessful(weir)).toBe('0');
  }
  expect(await weir.edit(respondingConfig('two'))).toMatchObject({ text: 'config runs', version: 2 });
  expect((await ask(port, '/')).body).toBe('two');
  expect(await lastReloadSuccessful(weir)).toBe('1');
  other.close();
});

test('listeners come, move and go; one that stays keeps its port and its open connection', async () => {
  const listener = (name: string, body: string): string => `  ${name}: { bind: "127.0.0.1:0", routes: [{ respond: { status: 200, body: ${body} } }] }\n`;
  const config = (listeners: string): string => `listeners:\n${listeners}pools: {}\nadmin: { bind: "127.0.0.1:0" }\n`;
  await using weir = await WeirProcess.start(config(listener('web', 'web')));
  const port = weir.port();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const kept = await ask(port, '/', { agent });
  await weir.edit(config(listener('web', 'web') + listener('extra', 'extra')));
  const { listeners } = JSON.parse((await weir.admin('/api/v1/status')).body) as { listeners: Record<string, { binds: string[] }> };
  const extra = Number(listeners['extra']!.binds[0]!.split(':').at(-1));
  expect((await ask(port, '/')).body).toBe('web');
  expect((await ask(extra, '/')).body).toBe('extra');
  await weir.edit(config(listener('web', 'again')));
  expect((await ask(port, '/')).body).toBe('again');
  await expect(ask(extra, '/')).rejects.toThrow('ECONNREFUSED');
  expect(await ask(port, '/', { agent })).toMatchObject({ body: 'again', localPort: kept.localPort });
  agent.destroy();
});

test('a secret file that changes is a reason to reload, and so is a request of the admin interface', async () => {
  await using weir = await WeirProcess.start(respondingConfig('one'));
  await writeFile(join(weir.folder, 'token'), 'first');
  await weir.edit(respondingConfig('one').replace('admin: { bind: "127.0.0.1:0" }', 'admin: { bind: "127.0.0.1:0", token: "file:token" }'));
  expect((await weir.admin('/metrics')).status).toBe(401);
  expect(await weir.reloadBy(() => writeFile(join(weir.folder, 'token'), 'second'))).toMatchObject({ text: 'config runs', version: 3 });
});

test('POST /api/v1/reload answers when all workers run it, and with the problems if none does', async () => {
  await using weir = await WeirProcess.start(respondingConfig('one'), { args: ['--no-watch'] });
  await writeFile(weir.file, respondingConfig('two'));
  expect(await weir.admin('/api/v1/reload', 'POST', {})).toMatchObject({ status: 200 });
  expect((await weir.get('/')).body).toBe('two');
  await writeFile(weir.file, 'pools: 1\n');
  const refused = await weir.admin('/api/v1/reload', 'POST', {});
  expect(refused.status).toBeGreaterThanOrEqual(400);
  expect(JSON.parse(refused.body)).toMatchObject({ problems: expect.arrayContaining([expect.objectContaining({ severity: 'error', line: 1 })]) });
  expect((await weir.get('/')).body).toBe('two');
});
