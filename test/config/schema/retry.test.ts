import { describe, expect, it } from 'vitest';
import { routeOf } from '../../support/load-whole.ts';

describe('retry', () => {
  it('is absent by default', () => expect(routeOf('pool: web').retry).toBeNull());

  it('has defaults for all it says', () => {
    expect(routeOf('pool: web, retry: {}').retry).toEqual({ attemptsMax: 2, statuses: [503], grpcStatuses: [14], causes: ['connect-failure', 'refused-stream'], budgetShare: 0.2, perTryMs: 0 });
  });

  it('takes one condition or many, each by its kind', () => {
    expect(routeOf('pool: web, retry: { when: 502, attempts: 4, budget: 50% }').retry).toEqual({ attemptsMax: 4, statuses: [502], grpcStatuses: [], causes: [], budgetShare: 0.5, perTryMs: 0 });
    expect(routeOf('pool: web, retry: { when: [resource-exhausted, 429, connection-lost, aborted, response-timeout], perTry: 250ms }').retry).toMatchObject({ statuses: [429], grpcStatuses: [8, 10], causes: ['connection-lost', 'response-timeout'], perTryMs: 300 });
  });
});
