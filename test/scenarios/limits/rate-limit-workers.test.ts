/** A limit holds for the whole proxy, whichever worker a connection comes to; a reload changes it; metrics and log name what it refused. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startBackends, type NamedBackend } from '../../support/named-backend.ts';
import { visit, visitorsOnBoth, type VisitorAnswer } from '../../support/visitor.ts';
import { until, WeirProcess } from '../../support/weir-process.ts';

function config(backend: NamedBackend, limit: string, more = ''): string {
  return `
listeners:
  web:
    bind: "127.0.0.1:0"
    routes:
      - { name: limited, match: { path: /limited }, pool: web, rateLimit: ${limit} }
${more}      - { name: free, pool: web }
pools:
  web: { backends: ["${backend.address}"] }
admin: { bind: "127.0.0.1:0" }
log: { access: { format: json, to: access.log } }
`;
}

test('two workers share each bucket, with scope tier as well while there is no store', async () => {
  const [backend] = (await startBackends('one')) as [NamedBackend];
  const limit = (scope: string): string => `{ rate: 30/h, burst: 30, scope: ${scope}, key: "header:x-user" }`;
  await using weir = await WeirProcess.start(config(backend, limit('proxy'), `      - { match: { path: /tier }, pool: web, rateLimit: ${limit('tier')} }\n`));
  const visitors = (await visitorsOnBoth(weir.port(), 1)).flat();
  for (const [path, user] of [['/limited', 'anna'], ['/limited', 'ben'], ['/tier', 'anna']] as const) {
    const ask = (visitor: (typeof visitors)[number]): Promise<VisitorAnswer> => visitor.ask(path, { headers: { 'x-user': user } });
    // The one that makes the bucket by itself: while a worker is at that, another does not wait for it, and lets requests pass uncounted.
    const answers = [await ask(visitors[0]!)];
    // At once from both, as clients do.
    await Promise.all(visitors.map(async (visitor, at) => {
      for (let count = at === 0 ? 1 : 0; count < 25; count++) answers.push(await ask(visitor));
    }));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(30);
    expect(new Set(answers.filter(({ status }) => status === 200).map(({ worker }) => worker)).size).toBe(2);
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(20);
    expect(Number(refused[0]!.headers['retry-after'])).toBeGreaterThan(0);
    expect(Number(refused[0]!.headers['retry-after'])).toBeLessThanOrEqual(120);
    expect(refused[0]!.headers['ratelimit-policy']).toBe('"default";q=30;w=3600');
  }
  const metrics = (await weir.admin('/metrics')).body;
  expect(metrics).toContain('weir_http_errors_total{listener="web",error="rate-limited",side="client"} 60\n');
  for (const visitor of visitors) visitor.close();
  await backend.stop();
});

test('a reload changes the rate for the buckets there are, and takes the limit away', async () => {
  const [backend] = (await startBackends('one')) as [NamedBackend];
  await using weir = await WeirProcess.start(config(backend, '{ rate: 1/h }'));
  const ask = async (): Promise<number> => (await visit(weir.port(), '/limited')).status;
  expect([await ask(), await ask(), await ask()]).toEqual([200, 429, 429]);
  expect((await visit(weir.port(), '/other')).status).toBe(200);
  // Filling at once, it passes again; its burst is 1 still.
  expect(await weir.edit(config(backend, '{ rate: 1000/s, burst: 1 }'))).toMatchObject({ text: 'config runs' });
  await until(async () => (await ask()) === 200);
  expect(await weir.edit(config(backend, '{ rate: 1/h, burst: 2 }'))).toMatchObject({ text: 'config runs' });
  const statuses = [await ask(), await ask(), await ask()];
  expect(statuses.at(-1)).toBe(429);
  await weir.edit(config(backend, '{ rate: 1/h }').replace(/, rateLimit: \{[^}]*\}/, ''));
  expect([await ask(), await ask(), await ask()]).toEqual([200, 200, 200]);
  const log = join(weir.folder, 'access.log');
  await until(async () => (await readFile(log, 'utf8').catch(() => '')).includes('"error":"rate-limited"'));
  const line = (await readFile(log, 'utf8')).split('\n').find((each) => each.includes('rate-limited'))!;
  expect(JSON.parse(line)).toMatchObject({ route: 'limited', status: 429, pool: null, backend: null, attempts: 0, error: 'rate-limited' });
  await backend.stop();
});
