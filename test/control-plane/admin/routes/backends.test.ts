import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { backendPageAnswer } from '../../../../src/control-plane/admin/answers.ts';
import { AdminWorld, startAdmin, type StartedAdmin } from '../../../support/admin-world.ts';
import { plainPool } from '../../../support/plain-snapshot.ts';
import type { PoolSpec } from '../../../../src/shared/snapshot.ts';

let started: StartedAdmin | null = null;
afterEach(() => started?.close());

interface Page {
  readonly items: readonly { readonly pool: string; readonly address: string; readonly verdict: string; readonly state: string }[];
  readonly next: string | null;
}

async function fetchPage(query: Record<string, string>): Promise<Page> {
  const answer = await fetch(`${started!.url}/api/v1/backends?${new URLSearchParams(query).toString()}`);
  expect(answer.status).toBe(200);
  return backendPageAnswer.parse(await answer.json());
}

/** All pages; `between` runs after each but the last. */
async function allPages(query: Record<string, string>, between: (page: number) => void = () => {}): Promise<string[]> {
  const keys: string[] = [];
  let cursor: string | null = null;
  for (let page = 1; ; page++) {
    const { items, next }: Page = await fetchPage({ ...query, ...(cursor !== null && { cursor }) });
    expect(items.length).toBeLessThanOrEqual(Number(query['limit'] ?? 100));
    keys.push(...items.map(({ pool, address }) => `${pool}/${address}`));
    if (next === null) return keys;
    expect(items.length).toBe(Number(query['limit'] ?? 100));
    cursor = next;
    between(page);
  }
}

/** Pools with names and addresses whose order differs from the file's. */
const somePools: fc.Arbitrary<PoolSpec[]> = fc
  .uniqueArray(fc.stringMatching(/^[A-Za-z0-9._-]{1,6}$/), { minLength: 1, maxLength: 5 })
  .chain((names) => fc.tuple(...names.map((name) => fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 25 }).map((ends) => plainPool(name, ends.map((end) => `10.0.0.${end}:80`))))));

const keysOf = (pools: readonly PoolSpec[]): string[] => pools.flatMap(({ name, backends }) => backends.map(({ address }) => `${name}/${address}`));

describe('paging', () => {
  it('shows each backend that matches exactly once, whatever the limit', async () => {
    await fc.assert(
      fc.asyncProperty(somePools, fc.integer({ min: 1, max: 30 }), fc.constantFrom(null, 'up', 'down'), fc.array(fc.boolean(), { minLength: 125, maxLength: 125 }), async (pools, limit, verdict, downs) => {
        const world = new AdminWorld({ snapshot: { pools } });
        started = await startAdmin(world);
        const rows = world.config!.rows.backends;
        const keys = keysOf(pools).filter((_key, i) => {
          world.table.backend(rows[i]!).verdict = downs[i]! ? 'down' : 'up';
          return verdict === null || (verdict === 'down') === downs[i];
        });
        const shown = await allPages({ limit: String(limit), ...(verdict !== null && { verdict }) });
        expect(shown.toSorted()).toEqual(keys.toSorted());
        await started.close();
      }),
      { numRuns: 40 },
    );
  });

  it('shows what is there throughout exactly once, also if others come and go meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(somePools, fc.array(somePools, { minLength: 1, maxLength: 4 }), async (pools, others) => {
        const world = new AdminWorld({ snapshot: { pools } });
        started = await startAdmin(world);
        const versions = [pools, ...others];
        const shown = await allPages({ limit: '3' }, (page) => void world.load({ pools: versions[Math.min(page, others.length)]! }));
        const throughout = keysOf(pools).filter((key) => others.every((other) => keysOf(other).includes(key)));
        for (const key of throughout) expect(shown.filter((one) => one === key)).toEqual([key]);
        expect(new Set(shown).size).toBe(shown.length);
        await started.close();
      }),
      { numRuns: 40 },
    );
  });

  it('can be of one pool and one state', async () => {
    const world = new AdminWorld({ snapshot: { pools: [plainPool('b', ['10.0.0.2:80', '10.0.0.1:80']), plainPool('a', ['10.0.0.1:80'])] } });
    world.table.backend(world.backendRow('b', '10.0.0.2:80')).state = 'drain';
    started = await startAdmin(world);
    expect(await allPages({ pool: 'b' })).toEqual(['b/10.0.0.1:80', 'b/10.0.0.2:80']);
    expect(await allPages({ pool: 'b', limit: '1' })).toEqual(['b/10.0.0.1:80', 'b/10.0.0.2:80']);
    expect(await allPages({ state: 'drain' })).toEqual(['b/10.0.0.2:80']);
    expect(await allPages({ pool: 'absent' })).toEqual([]);
  });

  it.each(['limit=0', 'limit=1001', 'limit=-1', 'limit=1e2', 'limit=', 'cursor=nonsense', 'cursor=W10', 'verdict=dead', 'state=off', 'pool='])('refuses %s', async (query) => {
    started = await startAdmin(new AdminWorld());
    expect((await fetch(`${started.url}/api/v1/backends?${query}`)).status).toBe(400);
  });
});
