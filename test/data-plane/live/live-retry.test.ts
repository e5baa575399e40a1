import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LiveRetry } from '../../../src/data-plane/live/live-retry.ts';
import type { RetrySpec } from '../../../src/shared/snapshot.ts';

const spec: RetrySpec = { attemptsMax: 2, statuses: [], grpcStatuses: [], causes: [], budgetShare: 0.2, perTryMs: 0 };
const retry = (patch: Partial<RetrySpec> = {}, responseMs = 60_000): LiveRetry => new LiveRetry({ ...spec, ...patch }, responseMs);

function spendAll(budget: LiveRetry, nowMs: number): number {
  let spent = 0;
  while (spent < 1000 && budget.spend(nowMs)) spent++;
  return spent;
}

describe('the budget of retries', () => {
  it('has some to begin with, then its share of the requests', () => {
    const budget = retry();
    expect(spendAll(budget, 1000)).toBe(10);
    for (let i = 0; i < 50; i++) budget.earn();
    expect(spendAll(budget, 1000)).toBe(10);
  });

  it('fills by three a second, to ten', () => {
    const budget = retry({ budgetShare: 0 });
    spendAll(budget, 1000);
    expect(spendAll(budget, 2000)).toBe(3);
    expect(spendAll(budget, 60_000)).toBe(10);
  });

  it('saves up a hundred', () => {
    const budget = retry();
    for (let i = 0; i < 10_000; i++) budget.earn();
    expect(spendAll(budget, 1000)).toBe(100);
  });

  it('takes back what found no backend', () => {
    const budget = retry();
    spendAll(budget, 1000);
    budget.giveBack();
    expect(spendAll(budget, 1000)).toBe(1);
  });

  it('never gives more than share, floor and what was saved up', () => {
    const step = fc.oneof(fc.constant('request' as const), fc.constant('retry' as const), fc.integer({ min: 1, max: 5000 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), fc.integer({ min: 0, max: 100 }), (steps, percent) => {
        const budget = retry({ budgetShare: percent / 100 });
        let nowMs = 1;
        let [requests, retries] = [0, 0];
        for (const each of steps) {
          if (typeof each === 'number') nowMs += each;
          else if (each === 'retry') retries += Number(budget.spend(nowMs));
          else {
            requests++;
            budget.earn();
          }
        }
        expect(retries).toBeLessThanOrEqual(10 + (requests * percent) / 100 + (3 * nowMs) / 1000 + 1e-6);
      }),
    );
  });
});

it.each([[0, 60_000, 60_000], [500, 60_000, 500], [500, 0, 500], [2000, 1000, 1000], [0, 0, 0]])('perTry %i beside response %i is %i', (perTryMs, responseMs, expected) => {
  expect(retry({ perTryMs }, responseMs).responseTimeoutMs).toBe(expected);
});
