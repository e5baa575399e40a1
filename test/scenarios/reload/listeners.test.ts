/** A listener that moves or goes: its open connections finish what they began, and are told to leave. */
import { expect, test } from 'vitest';
import { RawClient, RawOrigin } from '../../support/engine.ts';
import { freePort } from '../../support/free-port.ts';
import { startBackends, type NamedBackend } from '../../support/named-backend.ts';
import { echo } from '../../support/tcp-scenario.ts';
import { ask, until, WeirProcess } from '../../support/weir-process.ts';

const REQUEST = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

function config(backend: NamedBackend, listeners: string): string {
  return `
listeners:
${listeners}
pools:
  web: { backends: ["${backend.address}"] }
admin: { bind: "127.0.0.1:0" }
drain: { removed: 1s }
`;
}

test('a rebound listener serves at its new address, and its connections stay', async () => {
  const [backend] = (await startBackends('one')) as [NamedBackend];
  const [before, after] = [await freePort(), await freePort()];
  const on = (port: number): string => config(backend, `  web: { bind: "127.0.0.1:${port}", pool: web }`);
  await using weir = await WeirProcess.start(on(before));
  const client = await RawClient.open(before);
  client.send(REQUEST('/'));
  await client.until((received) => received.endsWith('one'));
  expect(await weir.edit(on(after))).toMatchObject({ text: 'config runs' });
  expect((await ask(after, '/')).body).toBe('one');
  await expect(ask(before, '/')).rejects.toThrow('ECONNREFUSED');
  client.received = '';
  client.send(REQUEST('/'));
  expect(await client.until((received) => received.endsWith('one'))).not.toContain('Connection: close');
  client.close();
  await backend.stop();
});

test('a removed listener accepts no more; its answers say so, and what outlasts drain.removed is cut', async () => {
  const [backend] = (await startBackends('one')) as [NamedBackend];
  const extra = await freePort();
  const web = '  web: { bind: "127.0.0.1:0", pool: web }';
  await using weir = await WeirProcess.start(config(backend, `${web}\n  extra: { bind: "127.0.0.1:${extra}", pool: web }`));
  const [finishing, lasting] = [await RawClient.open(extra), await RawClient.open(extra)];
  finishing.send(REQUEST('/hold'));
  await backend.until(() => backend.held.length === 1);
  lasting.send(REQUEST('/hold'));
  await backend.until(() => backend.held.length === 2);
  expect(await weir.edit(config(backend, web))).toMatchObject({ text: 'config runs' });
  await expect(ask(extra, '/')).rejects.toThrow('ECONNREFUSED');
  backend.held.shift()!.end('finished');
  const answer = await finishing.untilEnd();
  expect(answer).toContain('\r\nConnection: close\r\n');
  expect(answer).toMatch(/finished$/);
  // The other one's backend never answers.
  expect(await lasting.untilEnd()).toBe('');
  expect((await weir.get('/')).body).toBe('one');
  finishing.close();
  lasting.close();
  await backend.stop();
});

test('a listener of another protocol takes over the port; what came to the former keeps the former', async () => {
  const origin = await RawOrigin.start(echo);
  const speaking = (protocol: string): string => `
listeners: { web: { bind: "127.0.0.1:0", protocol: ${protocol}, pool: web } }
pools: { web: { backends: ["127.0.0.1:${origin.port}"] } }
admin: { bind: "127.0.0.1:0" }
drain: { removed: 1s }
`;
  await using weir = await WeirProcess.start(speaking('http'), { args: ['--workers', '2'] });
  const port = weir.port();
  const asking = await RawClient.open(port);
  asking.send('GET / HTTP/1.1\r\n');
  expect(await weir.edit(speaking('tcp'))).toMatchObject({ text: 'config runs' });
  const relayed = await RawClient.open(port);
  relayed.send('no HTTP\r\n\r\n');
  await relayed.until((received) => received === 'no HTTP\r\n\r\n');
  // The backend sends the request back, which is no answer.
  asking.send('Host: a\r\n\r\n');
  expect(await asking.untilEnd()).toMatch(/^HTTP\/1\.1 502 /);
  expect(asking.received).toContain('\r\nConnection: close\r\n');

  expect(await weir.edit(speaking('http'))).toMatchObject({ text: 'config runs' });
  relayed.send('still none');
  await relayed.until((received) => received.endsWith('still none'));
  const refused = await RawClient.open(port);
  refused.send('no HTTP\r\n\r\n');
  expect(await refused.untilEnd()).toMatch(/^HTTP\/1\.1 400 /);
  await until(() => relayed.isClosed);
  expect(relayed.error?.code).toBe('ECONNRESET');
  for (const client of [asking, relayed, refused]) client.close();
  origin.stop();
});
