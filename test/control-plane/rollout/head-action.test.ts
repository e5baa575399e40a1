import { expect, it } from 'vitest';
import { headAction, type ConfigSource, type StandingVersion } from '../../../src/control-plane/rollout/head-action.ts';

const LEASE_MS = 3000;
const own = (source: ConfigSource, parts: Partial<StandingVersion> = {}): StandingVersion => ({ history: 'h', number: 5, sha: 'five', source, ...parts });
const head = (number: number, sha: string, history = 'h'): { history: string; number: number; sha: string } => ({ history, number, sha });

it('restores an empty store at once from who runs it, after a lease from a disk, after two from a file', () => {
  expect(headAction(own('store'), null, 0, LEASE_MS)).toEqual({ kind: 'restore' });
  expect(headAction(own('disk'), null, 1000, LEASE_MS)).toEqual({ kind: 'wait', forMs: 2000 });
  expect(headAction(own('disk'), null, LEASE_MS, LEASE_MS)).toEqual({ kind: 'restore' });
  expect(headAction(own('file', { history: null, number: 1 }), null, LEASE_MS, LEASE_MS)).toEqual({ kind: 'wait', forMs: LEASE_MS });
  expect(headAction(own('file', { history: null, number: 1 }), null, 2 * LEASE_MS, LEASE_MS)).toEqual({ kind: 'restore' });
});

it('hands over what the store has lost of the same history, and takes what is newer or another under the same number', () => {
  expect(headAction(own('store'), head(4, 'four'), 0, LEASE_MS)).toEqual({ kind: 'restore' });
  expect(headAction(own('disk'), head(6, 'six'), 0, LEASE_MS)).toEqual({ kind: 'take', fork: false });
  expect(headAction(own('store'), head(5, 'five'), 0, LEASE_MS)).toEqual({ kind: 'take', fork: false });
  expect(headAction(own('store'), head(5, 'other'), 0, LEASE_MS)).toEqual({ kind: 'take', fork: true });
});

it('takes nothing of another history, and anything when it has none', () => {
  expect(headAction(own('store'), head(9, 'nine', 'g'), 0, LEASE_MS)).toEqual({ kind: 'foreign' });
  expect(headAction(own('store'), head(1, 'one', 'g'), 0, LEASE_MS)).toEqual({ kind: 'foreign' });
  expect(headAction(own('file', { history: null, number: 9 }), head(1, 'one', 'g'), 0, LEASE_MS)).toEqual({ kind: 'take', fork: false });
});
