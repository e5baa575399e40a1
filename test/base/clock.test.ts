import { expect, it } from 'vitest';
import { inSlices, type SlicedWork } from '../../src/base/clock.ts';
import { turnsDuring } from '../support/loop-turns.ts';

function* count(to: number, done: number[]): SlicedWork<string> {
  for (let i = 1; i <= to; i++) {
    done.push(i);
    if (i % 10 === 0) yield;
  }
  return 'counted';
}

it('work in slices gives way at each yield, and what yields nothing is done at once', async () => {
  const done: number[] = [];
  const small = inSlices(count(9, done));
  expect(done).toHaveLength(9);
  expect(await small).toBe('counted');
  expect(await turnsDuring(() => inSlices(count(100, done)))).toBeGreaterThanOrEqual(10);
  await expect(inSlices(failing())).rejects.toThrow('broken');
});

function* failing(): SlicedWork {
  yield;
  throw new Error('broken');
}
