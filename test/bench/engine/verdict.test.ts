/** From turns to verdicts: figures made up so that every wrong way to compute them gives another. */
import { describe, expect, it } from 'vitest';
import type { Contender, Row } from '../../../bench/engine/rows.ts';
import { findRow } from '../../../bench/engine/rows.ts';
import { goesOn, judge, quietOf, type Turn } from '../../../bench/engine/verdict.ts';

/** Costs by contender, one a repetition. */
function turnsOf(costs: Readonly<Record<string, readonly number[]>>, more: Partial<Turn> = {}): Turn[] {
  return Object.entries(costs).flatMap(([contender, each]) => each.map((cost, repetition) => ({ contender, repetition, cost, busy: 0.5, others: 0, requestsPerSecond: 1000, errors: 0, ...more })));
}

function rowOf(judgement: Row['judgement'], atMost: number, contenders: readonly (readonly [name: string, of: Contender['of'], end?: Contender['end']])[]): Row {
  const { drive, scenario } = findRow('small').contenders[0]!;
  return { ...findRow('small'), judgement, atMost, contenders: contenders.map(([name, of, end = null]) => ({ name, of, end, settings: {}, scenario, drive })) };
}

const peers = rowOf('against-better-peer', 0.95, [['weir', 'weir'], ['nginx', 'nginx'], ['nginx, unbuffered', 'nginx'], ['haproxy', 'haproxy']]);

describe('against the better peer', () => {
  it('holds Weir against the peer and setting with the lowest median, within each repetition', () => {
    const result = judge(peers, turnsOf({ weir: [9, 20, 10], nginx: [12, 30, 14], 'nginx, unbuffered': [10, 25, 12.5], haproxy: [11, 24, 13] }));
    // The medians are 14, 12.5 and 13; haproxy's lower second repetition does not make it the better one.
    expect(result).toMatchObject({ against: 'nginx, unbuffered', figure: { median: 0.8, min: 0.8, max: 0.9 }, verdict: 'pass' });
    expect(result.costs).toEqual({ weir: 10, nginx: 14, 'nginx, unbuffered': 12.5, haproxy: 13 });
  });

  it('takes the mean of both Weirs, and their difference as the noise', () => {
    const result = judge(peers, turnsOf({ weir: [10, 10, 10], 'weir again': [11, 11, 11], haproxy: [10, 10, 10] }));
    expect(result.figure.median).toBeCloseTo(1.05);
    expect(result.noise).toBeCloseTo(0.1);
    expect(result).toMatchObject({ verdict: 'fail', noisy: true });
  });

  it('passes at the limit and not above it', () => {
    expect(judge(peers, turnsOf({ weir: [95], haproxy: [100] })).verdict).toBe('pass');
    expect(judge(peers, turnsOf({ weir: [95.1], haproxy: [100] })).verdict).toBe('fail');
  });

  it('rejects a row with an error, however good its figure', () => {
    const turns = turnsOf({ weir: [1, 1], haproxy: [10, 10] });
    expect(judge(peers, turns.map((turn, i) => (i === 3 ? { ...turn, errors: 1 } : turn)))).toMatchObject({ verdict: 'rejected', errors: 1 });
  });

  it('has no verdict where no peer is installed', () => {
    expect(judge(peers, turnsOf({ weir: [1, 1] })).verdict).toBe('nothing to compare');
  });

  it('knows no noise where Weir ran once', () => {
    expect(judge(peers, turnsOf({ weir: [1], haproxy: [2] }))).toMatchObject({ noise: null, noisy: false });
  });
});

describe('growth', () => {
  const ends = [['weir, small', 'weir', 'small'], ['weir, large', 'weir', 'large']] as const;

  it('is the cost of the large end by that of the small one', () => {
    const result = judge(rowOf('growth', 1.1, ends), turnsOf({ 'weir, small': [10, 20, 30], 'weir, large': [10.5, 21, 33] }));
    expect(result).toMatchObject({ figure: { median: 1.05, min: 1.05, max: 1.1 }, verdict: 'pass' });
  });

  it('looks at the noise of both ends', () => {
    const result = judge(rowOf('growth', 1.1, ends), turnsOf({ 'weir, small': [10], 'weir, large': [10], 'weir, small again': [10], 'weir, large again': [9] }));
    expect(result.noise).toBeCloseTo(0.1);
  });

  it('is held against that of HAProxy, repetition by repetition', () => {
    const row = rowOf('growth-against-haproxy', 1, [...ends, ['haproxy, small', 'haproxy', 'small'], ['haproxy, large', 'haproxy', 'large']]);
    const result = judge(row, turnsOf({ 'weir, small': [10, 10], 'weir, large': [15, 12], 'haproxy, small': [10, 10], 'haproxy, large': [12, 15] }));
    expect(result.figure.min).toBeCloseTo(0.8);
    expect(result.figure.max).toBeCloseTo(1.25);
    expect(result.verdict).toBe('fail');
  });
});

describe('a cost alone', () => {
  it('is limited as it is; peers stand beside it', () => {
    const row = rowOf('alone', 4, [['weir', 'weir'], ['haproxy', 'haproxy']]);
    expect(judge(row, turnsOf({ weir: [3, 3.5, 5], haproxy: [1, 1, 1] }))).toMatchObject({ figure: { median: 3.5, min: 3, max: 5 }, verdict: 'pass', costs: { haproxy: 1 } });
  });
});

describe('repetitions with other work on the core', () => {
  const turns = turnsOf({ weir: [1, 2, 3, 40], haproxy: [4, 4, 4, 4] });
  const disturbed = (repetitions: readonly number[]): Turn[] => turns.map((turn) => (turn.contender === 'haproxy' && repetitions.includes(turn.repetition) ? { ...turn, others: 0.5 } : turn));

  it('are set aside whole, for all contenders', () => {
    expect(quietOf(disturbed([3]))).toMatchObject({ repetitions: 3 });
    expect(judge(peers, disturbed([3]))).toMatchObject({ setAside: 1, figure: { median: 0.5, max: 0.75 }, noisy: false });
  });

  it('count, and mark the row, if too few would be left', () => {
    expect(judge(peers, disturbed([2, 3]))).toMatchObject({ setAside: 0, figure: { max: 10 }, noisy: true });
  });

  it('are made up for, unless most are disturbed', () => {
    expect([goesOn(6, 6, 7), goesOn(7, 7, 7)]).toEqual([true, false]);
    expect([goesOn(7, 4, 7), goesOn(10, 6, 7), goesOn(11, 6, 7)]).toEqual([true, true, false]);
    expect([goesOn(6, 0, 7), goesOn(7, 3, 7)]).toEqual([true, false]);
  });

  it('are not known where nothing is pinned', () => {
    expect(quietOf(turns.map((turn) => ({ ...turn, others: Number.NaN }))).repetitions).toBe(4);
  });
});
