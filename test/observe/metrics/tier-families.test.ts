import { expect, test } from 'vitest';
import { OperationTimes } from '../../../src/observe/operation-times.ts';
import { AdminWorld, startAdmin } from '../../support/admin-world.ts';

async function page(world: AdminWorld): Promise<string[]> {
  const admin = await startAdmin(world);
  const text = await (await fetch(`${admin.url}/metrics`)).text();
  await admin.close();
  return text.split('\n').filter((line) => /^weir_(tier|store)_/.test(line));
}

test('a proxy of a tier counts members by state, says whether it goes by itself, and times the store', async () => {
  const world = new AdminWorld();
  const operations = new OperationTimes(['ok', 'away']);
  operations.add('ok', 0.0004);
  operations.add('ok', 0.2);
  operations.add('away', 40);
  world.figures = { members: new Map([['ready', 3], ['draining', 1]]), autonomous: true, operations };
  const lines = await page(world);
  expect(lines).toEqual(
    expect.arrayContaining([
      'weir_tier_members{state="ready"} 3',
      'weir_tier_members{state="draining"} 1',
      'weir_tier_autonomous 1',
      'weir_store_operation_seconds_bucket{result="ok",le="0.0005"} 1',
      'weir_store_operation_seconds_bucket{result="ok",le="0.25"} 2',
      'weir_store_operation_seconds_count{result="ok"} 2',
      'weir_store_operation_seconds_bucket{result="away",le="30"} 0',
      'weir_store_operation_seconds_bucket{result="away",le="+Inf"} 1',
      'weir_store_operation_seconds_sum{result="away"} 40',
    ]),
  );
  world.figures = { ...world.figures, autonomous: false };
  expect(await page(world)).toContain('weir_tier_autonomous 0');
});

test('without a store there is none of it', async () => {
  expect(await page(new AdminWorld())).toEqual([]);
});
