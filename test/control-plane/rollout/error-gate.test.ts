import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeCanary } from '../../../src/control-plane/rollout/error-gate.ts';

describe('the gate of a canary', () => {
  it('passes, and says so, when either side has answered too little', () => {
    const few = { requests: 99, errors: 99 };
    const many = { requests: 10_000, errors: 0 };
    for (const [canary, rest] of [[few, many], [many, few]] as const) {
      const verdict = judgeCanary(canary, rest, true);
      expect(verdict).toMatchObject({ kind: 'pass', note: expect.stringContaining('too few') });
    }
  });

  it('fails what clearly fails more, at any moment', () => {
    expect(judgeCanary({ requests: 200, errors: 40 }, { requests: 2000, errors: 2 }, false)).toMatchObject({ kind: 'fail', reason: expect.stringContaining('20.00% of 200') });
  });

  it('before the end wants more than at the end', () => {
    // z is 3.6 here.
    const [canary, rest] = [{ requests: 1000, errors: 30 }, { requests: 1000, errors: 8 }];
    expect(judgeCanary(canary, rest, false).kind).toBe('pass');
    expect(judgeCanary(canary, rest, true).kind).toBe('fail');
  });

  it('minds no difference under half a point, and none in the canary’s favour', () => {
    expect(judgeCanary({ requests: 1_000_000, errors: 4900 }, { requests: 1_000_000, errors: 0 }, true).kind).toBe('pass');
    expect(judgeCanary({ requests: 1_000_000, errors: 5100 }, { requests: 1_000_000, errors: 0 }, true).kind).toBe('fail');
    expect(judgeCanary({ requests: 1000, errors: 0 }, { requests: 1000, errors: 900 }, true).kind).toBe('pass');
  });

  it('never fails who fails no more than the rest, whatever the counts', () => {
    const count = fc.record({ requests: fc.integer({ min: 100, max: 1e6 }), share: fc.double({ min: 0, max: 1, noNaN: true }) });
    fc.assert(
      fc.property(count, count, fc.boolean(), (canary, rest, atEnd) => {
        const errors = Math.floor(canary.requests * Math.min(canary.share, rest.share));
        const restErrors = Math.ceil(rest.requests * rest.share);
        expect(judgeCanary({ requests: canary.requests, errors }, { requests: rest.requests, errors: restErrors }, atEnd).kind).toBe('pass');
      }),
    );
  });
});
