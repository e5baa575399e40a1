/** The same key meets the same backend: over connections, workers and restarts, wherever in the request the key stands. */
import { expect, test } from 'vitest';
import type { NamedBackend} from '../../support/named-backend.ts';
import { startBackends } from '../../support/named-backend.ts';
import { visit, type Ask } from '../../support/visitor.ts';
import { WeirProcess } from '../../support/weir-process.ts';

const USERS = Array.from({ length: 12 }, (_, i) => `user-${i}`);

/** For each pool its key, and a request that carries a value of it. */
const KEYS: Readonly<Record<string, { key: string; ask: (value: string) => [path: string, ask: Ask] }>> = {
  header: { key: 'header:X-User', ask: (value) => ['/header', { headers: { 'x-user': value } }] },
  cookie: { key: 'cookie:user', ask: (value) => ['/cookie', { headers: { cookie: `theme=dark; user=${value}; x=1` } }] },
  query: { key: 'query:user', ask: (value) => [`/query?a=1&user=${value}&b=2`, {}] },
  path: { key: 'path', ask: (value) => [`/path/${value}?query=${Math.random()}`, {}] },
  ip: { key: 'client-ip', ask: (value) => ['/ip', { headers: { 'x-forwarded-for': `9.9.9.9, 10.1.0.${value.slice(5)}, 127.0.0.2` } }] },
};

function config(backends: readonly NamedBackend[]): string {
  const names = Object.keys(KEYS);
  const routes = names.map((name) => `{ match: { path: /${name} }, pool: ${name} }`);
  const pools = names.map((name, i) => `  ${name}: { algorithm: { name: ${i % 2 === 0 ? 'maglev' : 'ring-hash'}, key: "${KEYS[name]!.key}" }, backends: *all }`);
  return `
x-backends: &all ${JSON.stringify(backends.map(({ address }) => address))}
listeners:
  web: { bind: "127.0.0.1:0", trustedProxies: [127.0.0.0/8], routes: [${routes.join(', ')}] }
pools:
${pools.join('\n')}
admin: { bind: "127.0.0.1:0" }
`;
}

/** Where each value of each key goes; a value that meets two backends, or all values by one worker, fail the test. */
async function placesOf(port: number): Promise<Record<string, Record<string, string>>> {
  const places: Record<string, Record<string, string>> = {};
  for (const [name, { ask }] of Object.entries(KEYS)) {
    const placed: Record<string, string> = {};
    const workers = new Set<string>();
    for (let round = 0; round < 2 || workers.size < 2; round++) {
      for (const value of USERS) {
        const { status, backend, worker } = await visit(port, ...ask(value));
        expect(status).toBe(200);
        expect(backend).toBe((placed[value] ??= backend));
        workers.add(worker);
      }
    }
    places[name] = placed;
  }
  return places;
}

test('keys keep their backend over connections, workers and a restart', async () => {
  const backends = await startBackends('a', 'b', 'c');
  let first;
  {
    await using weir = await WeirProcess.start(config(backends));
    first = await placesOf(weir.port());
  }
  // Values do spread.
  for (const placed of Object.values(first)) expect(new Set(Object.values(placed)).size).toBeGreaterThan(1);
  // The order in the file is no part of a key's place.
  await using weir = await WeirProcess.start(config([...backends].reverse()));
  expect(await placesOf(weir.port())).toEqual(first);
  for (const backend of backends) await backend.stop();
});
