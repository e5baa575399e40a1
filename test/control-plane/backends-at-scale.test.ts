/** Thousands of backends come, stay and go with turns of the loop in between, and unprobed ones are up when `apply` is done, without a word. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { systemRandom } from '../../src/base/random.ts';
import { Backends } from '../../src/control-plane/backends.ts';
import { BACKENDS_PER_TURN } from '../../src/control-plane/backend-rows.ts';
import type { Membership } from '../../src/control-plane/membership/membership.ts';
import { BackendRig, type PoolSketch } from '../support/backend-rig.ts';
import { joinAlone } from '../support/lone-tier.ts';
import { turnsDuring } from '../support/loop-turns.ts';

const COUNT = 5000;
let folder: string;
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'backends-'))));
afterEach(() => rm(folder, { recursive: true }));

it('are taken over in slices', async () => {
  const rig = new BackendRig();
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  let membership: Membership | null = null;
  const backends = await Backends.open({ table: rig.table, join: (events) => (membership = joinAlone()(events)), stateDir: folder, clock: systemClock, random: systemRandom, log });
  const told: string[] = [];
  backends.onVerdict(({ address }) => told.push(address));
  const sketch = (from: number, weight: number): PoolSketch => ({
    name: 'web',
    backends: Array.from({ length: COUNT }, (_, i) => ({ address: `10.0.${(from + i) >> 8}.${(from + i) & 255}:80`, weight })),
  });
  const apply = async (pool: PoolSketch): Promise<void> => {
    const { snapshot, rows } = rig.snapshot(pool);
    const turns = await turnsDuring(() => backends.apply(snapshot, rows));
    // Operator states are looked through, then checks are found, made and begun.
    expect(turns).toBeGreaterThanOrEqual((3 * COUNT) / BACKENDS_PER_TURN);
    for (const { address } of snapshot.pools[0]!.backends) expect(rig.row('web', address)).toMatchObject({ verdict: 'up', state: 'ready' });
  };

  await apply(sketch(0, 1));
  await apply(sketch(COUNT / 2, 7));
  expect(rig.row('web', `10.0.${COUNT >> 8}.${COUNT & 255}:80`).weight).toBe(7);
  expect(backends.detail(rig.numberOf('web', `10.0.${COUNT >> 8}.${COUNT & 255}:80`))).toMatchObject({ reason: 'not probed' });
  expect(told).toEqual([]);
  backends.stop();
  await membership!.stop();
});
