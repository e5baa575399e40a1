/**
 * 10,000 backends and 10,000 routes: each request finds its own, before and
 * after a reload, while the whole is scraped and shown. Every backend has an
 * address of its own in 127.0.0.0/8 and all are one server here, which answers
 * with the address it was reached at. What all this costs is the business of
 * `npm run bench -- scale`.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { largeConfig } from '../support/large-config.ts';
import { ask, WeirProcess } from '../support/weir-process.ts';

const BACKENDS = 10_000;
const ROUTES = 10_000;
const POOLS = 5000;
const HOSTS = 2000;
const SAMPLED = [0, 1, 1999, 2000, 4999, 5000, 7777, 9999];

const backends = createServer((request, response) => response.end(request.socket.localAddress));
let port = 0;

beforeAll(async () => {
  backends.listen(0, '0.0.0.0');
  await once(backends, 'listening');
  port = (backends.address() as AddressInfo).port;
});
afterAll(() => backends.close());

const host = (backend: number): string => `127.1.${backend >> 8}.${backend & 255}`;

/** Backend `b` is the one at `host(b + shift)`. */
function config(shift: number): string {
  const head = 'admin: { bind: "127.0.0.1:0" }\ndrain: { delay: 0, timeout: 5s }';
  return largeConfig({ backends: BACKENDS, routes: ROUTES, pools: POOLS, hosts: HOSTS, head, address: (backend) => `${host(backend + shift)}:${port}` });
}

/** Route `i` leads to pool `i % POOLS`, which has the backends of that remainder. */
async function expectOwnBackends(weir: WeirProcess, shift: number): Promise<void> {
  for (const i of SAMPLED) {
    const { status, body } = await ask(weir.port(), `/tenant/${i}/x`, { headers: { host: `h${i % HOSTS}.example.com` } });
    const pool = i % POOLS;
    expect({ status, body }).toEqual({ status: 200, body: expect.toSatisfy((reached) => [host(pool + shift), host(pool + POOLS + shift)].includes(reached as string)) });
  }
  expect((await ask(weir.port(), `/tenant/${ROUTES}`, { headers: { host: 'h0.example.com' } })).status).toBe(404);
  expect((await ask(weir.port(), '/tenant/0', { headers: { host: 'h1.example.com' } })).status).toBe(404);
}

// Of 127.0.0.0/8 other systems give a machine one address only.
test.runIf(process.platform === 'linux')('the largest config routes, reloads and is shown whole', async () => {
  await using weir = await WeirProcess.start(config(0));
  await expectOwnBackends(weir, 0);
  expect(await weir.edit(config(BACKENDS))).toMatchObject({ text: 'config runs', version: 2 });
  await expectOwnBackends(weir, BACKENDS);

  const page = (await weir.admin('/metrics')).body;
  const samples = (name: string): number => page.split('\n').filter((line) => line.startsWith(`${name}{`)).length;
  expect(samples('weir_backend_up')).toBe(BACKENDS);
  expect(samples('weir_route_request_seconds_count')).toBe(ROUTES);
  const status = JSON.parse((await weir.admin('/api/v1/status')).body) as { pools: Record<string, { backends: { address: string; verdict: string }[] }> };
  const shown = Object.values(status.pools).flatMap((pool) => pool.backends);
  expect(new Set(shown.map(({ address }) => address)).size).toBe(BACKENDS);
  expect(shown.every(({ verdict }) => verdict === 'up')).toBe(true);
  // An address that nobody probes is up from the first: that is no line in the log.
  expect(weir.log.length).toBeLessThan(50);
}, 120_000);
