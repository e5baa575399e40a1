import { expect, it } from 'vitest';
import type { Beside } from '../../src/control-plane/membership/beside.ts';
import { tierDrain } from '../../src/control-plane/tier-drain.ts';

const KEY = 'web 10.0.0.1:80';
const said = (inFlight: number, stampMs = 100): Beside => ({ draining: { [KEY]: { inFlight, stampMs } } });

it('is drained once each living member has seen the word and counts zero', () => {
  const besides = new Map([['a', said(0)], ['b', said(0, 101)], ['gone', said(7)]]);
  expect(tierDrain(KEY, 100, ['b', 'a'], besides)).toEqual({ drained: true, inFlight: 0, busy: [], unheard: [] });
});

it('names who still has something on it, and how much that is', () => {
  const besides = new Map([['a', said(2)], ['b', said(0)], ['c', said(3)]]);
  expect(tierDrain(KEY, 100, ['c', 'b', 'a'], besides)).toEqual({ drained: false, inFlight: 5, busy: ['a', 'c'], unheard: [] });
});

it('names members that have not been heard since, whatever they said before', () => {
  const besides = new Map([['a', said(0)], ['b', said(0, 99)], ['c', {}], ['d', { draining: { 'web other:80': { inFlight: 0, stampMs: 100 } } }]]);
  expect(tierDrain(KEY, 100, ['a', 'b', 'c', 'd', 'e'], besides)).toEqual({ drained: false, inFlight: 0, busy: [], unheard: ['b', 'c', 'd', 'e'] });
});
