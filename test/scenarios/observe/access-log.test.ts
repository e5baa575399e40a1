/** The access log as an operator reads it: every request once, in the form asked for, over rotation and reload. */
import { existsSync } from 'node:fs';
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { NamedBackend} from '../../support/named-backend.ts';
import { startBackends } from '../../support/named-backend.ts';
import { rawVisit } from '../../support/raw-visit.ts';
import { visit, visitorsOnBoth, type Visitor } from '../../support/visitor.ts';
import { WeirProcess } from '../../support/weir-process.ts';

function config(backend: NamedBackend, access: string): string {
  return `
listeners:
  web: { bind: "127.0.0.1:0", routes: [{ name: teapot, match: { path: /tea }, respond: { status: 418, body: short } }, { name: main, pool: web }] }
pools:
  web: { backends: ["${backend.address}"] }
admin: { bind: "127.0.0.1:0" }
log: { access: ${access} }
drain: { delay: 0 }
`;
}

async function linesOf(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.split('\n').slice(0, -1);
}

/** Lines of the file once there are `count`. */
async function untilLines(path: string, count: number): Promise<string[]> {
  while (true) {
    const lines = await linesOf(path);
    if (lines.length >= count) return lines;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const ASK = { headers: { host: 'shop.example:80', 'user-agent': 'curl/8 "x"', referer: 'http://a/' } };

test('json names everything a request met', async () => {
  const [backend] = (await startBackends('one')) as [NamedBackend];
  await using weir = await WeirProcess.start(config(backend, '{ format: json, to: access.log }'));
  await visit(weir.port(), '/x?y=1', { ...ASK, method: 'POST', body: 'hello' });
  await visit(weir.port(), '/tea', ASK);
  // On one connection, so that nothing of the good request may stand in the bad one's line.
  await rawVisit(weir.port(), `GET /good HTTP/1.1\r\nHost: a\r\nReferer: x\r\n\r\nGET /bad HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`);
  const lines = (await untilLines(join(weir.folder, 'access.log'), 4)).map((line) => JSON.parse(line) as Record<string, unknown>);
  const byTarget = (target: string): Record<string, unknown> => lines.find((line) => line['target'] === target)!;
  expect(byTarget('/x?y=1')).toEqual({
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    listener: 'web', route: 'main', pool: 'web', backend: backend.address,
    client: '127.0.0.1', method: 'POST', target: '/x?y=1', httpVersion: '1.1', host: 'shop.example',
    status: 200, bytesIn: 5, bytesOut: 3, durationMs: expect.any(Number), backendMs: expect.any(Number), attempts: 1, error: null,
    requestId: backend.asked[0]!.headers['x-request-id'], referer: 'http://a/', userAgent: 'curl/8 "x"',
  });
  expect(byTarget('/tea')).toMatchObject({ route: 'teapot', pool: null, backend: null, status: 418, bytesOut: 5, backendMs: null, attempts: 0, error: null });
  expect(byTarget('-')).toEqual({
    ...byTarget('/tea'), time: expect.any(String), method: '-', target: '-', host: '', route: null, status: 400, bytesOut: expect.any(Number), durationMs: 0, error: 'bad-request', requestId: '', referer: null, userAgent: null,
  });
  await backend.stop();
});

test('common and combined are what log tools expect, and a reload changes the form', async () => {
  const [backend] = (await startBackends('one')) as [NamedBackend];
  await using weir = await WeirProcess.start(config(backend, 'common'));
  await visit(weir.port(), '/first', ASK);
  const common = /^127\.0\.0\.1 - - \[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/first HTTP\/1\.1" 200 3$/m;
  while (!common.test(weir.out)) await new Promise((resolve) => setImmediate(resolve));
  expect(await weir.edit(config(backend, 'combined'))).toMatchObject({ text: 'config runs' });
  await visit(weir.port(), '/second', ASK);
  const combined = /^127\.0\.0\.1 - - \[[^\]]+\] "GET \/second HTTP\/1\.1" 200 3 "http:\/\/a\/" "curl\/8 \\x22x\\x22"$/m;
  while (!combined.test(weir.out)) await new Promise((resolve) => setImmediate(resolve));
  expect(await weir.edit(config(backend, 'off'))).toMatchObject({ text: 'config runs' });
  await visit(weir.port(), '/third', ASK);
  weir.signal('SIGTERM');
  expect(await weir.exited).toMatchObject({ code: 0 });
  expect(weir.out.split('\n')).toHaveLength(3);
  await backend.stop();
});

test('off makes no file', async () => {
  const [backend] = (await startBackends('one')) as [NamedBackend];
  await using weir = await WeirProcess.start(config(backend, '{ format: off, to: access.log }'));
  await visit(weir.port());
  weir.signal('SIGTERM');
  await weir.exited;
  expect(existsSync(join(weir.folder, 'access.log'))).toBe(false);
  expect(weir.out).toBe('');
  await backend.stop();
});

test('a rotation under load loses no line and tears none', async () => {
  const [backend] = (await startBackends('one')) as [NamedBackend];
  await using weir = await WeirProcess.start(config(backend, '{ format: json, to: access.log }'));
  const path = join(weir.folder, 'access.log');
  const [near, far] = await visitorsOnBoth(weir.port(), 3);
  const greetings = backend.asked.length;
  let sent = 0;
  let isOver = false;
  const load = async (visitor: Visitor): Promise<void> => {
    while (!isOver) await visitor.ask(`/load/${sent++}/${'x'.repeat(200)}`);
  };
  const loads = [...near, ...far].map(load);
  const rotated: string[] = [];
  for (let i = 1; i <= 3; i++) {
    const before = sent;
    while (sent < before + 200) await new Promise((resolve) => setImmediate(resolve));
    rotated.push(`${path}.${i}`);
    await rename(path, `${path}.${i}`);
    await weir.reloadBy(() => weir.signal('SIGHUP'));
    await untilLines(path, 1);
  }
  isOver = true;
  await Promise.all(loads);
  for (const visitor of [...near, ...far]) visitor.close();
  weir.signal('SIGTERM');
  expect(await weir.exited).toMatchObject({ code: 0 });

  const lines = (await Promise.all([...rotated, path].map(linesOf))).flat();
  const targets = lines.map((line) => (JSON.parse(line) as { target: string }).target).filter((target) => target.startsWith('/load/'));
  expect(targets.map((target) => Number(target.split('/')[2])).sort((a, b) => a - b)).toEqual(Array.from({ length: sent }, (_, i) => i));
  expect(lines).toHaveLength(sent + greetings);
  await backend.stop();
});

test('what is cut at the end is in it, and so is what just ended', async () => {
  const [backend] = (await startBackends('one')) as [NamedBackend];
  await using weir = await WeirProcess.start(config(backend, '{ format: json, to: access.log }').replace('delay: 0', 'delay: 0, timeout: 200ms'));
  const held = visit(weir.port(), '/hold');
  held.catch(() => undefined);
  await backend.until(() => backend.held.length === 1);
  await visit(weir.port(), '/last');
  weir.signal('SIGTERM');
  expect(await weir.exited).toMatchObject({ code: 0 });
  await expect(held).rejects.toThrow();
  const lines = (await linesOf(join(weir.folder, 'access.log'))).map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines).toHaveLength(2);
  expect(lines).toContainEqual(expect.objectContaining({ target: '/last', status: 200, error: null }));
  expect(lines).toContainEqual(expect.objectContaining({ target: '/hold', status: 0, error: 'shutting-down' }));
  await backend.stop();
});
