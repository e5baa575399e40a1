import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CanaryText, RolloutText, TierConfig, VoteText } from '../../../src/control-plane/rollout/config-texts.ts';
import { answerLimitMs, COMMIT_WATCHED_MS, nextStep, type MemberStanding, type StepInputs } from '../../../src/control-plane/rollout/next-step.ts';

const SHA = 'b'.repeat(64);
const FORMER = 'a'.repeat(64);
const LEASE_MS = 3000;
const STARTED_MS = 50_000;

const plain: RolloutText = { phase: 'validate', sha: SHA, history: 'h', by: 'x', parent: 6, canary: null, forced: false };

function config(text: RolloutText | null, head: Partial<NonNullable<TierConfig['head']>['text']> = {}): TierConfig {
  return {
    head: { history: 'h', number: 6, sha: FORMER, text: { atMs: 0, committedMs: 0, previous: null, notes: [], ...head } },
    rollout: text === null ? null : { number: 7, step: 1, startedMs: STARTED_MS, text },
  };
}

const states = ['ready', 'joining', 'draining', 'failed'] as const;
const members = (...all: [string, MemberStanding['state']][]): Map<string, MemberStanding> => new Map(all.map(([id, state]) => [id, { id, incarnation: `${id}-1`, state }]));
const say = (kind: VoteText['kind'], reason = '', sha = SHA): VoteText => ({ kind, sha, reason });

function inputs(parts: Partial<StepInputs>): StepInputs {
  return { config: config(plain), votes: new Map(), members: members(['a', 'ready'], ['b', 'ready']), errorCounts: new Map(), tierMs: STARTED_MS + 100, leaseMs: LEASE_MS, ...parts };
}

describe('validating', () => {
  it('commits once all that are ready at this moment have checked it, and waits for nobody else', () => {
    const both = new Map([['a', say('checked')], ['b', say('checked')]]);
    expect(nextStep(inputs({ votes: both }))).toMatchObject({ kind: 'commit' });
    expect(nextStep(inputs({ votes: new Map([['a', say('checked')]]) }))).toMatchObject({ kind: 'wait' });
    // b is gone; c has just become ready.
    expect(nextStep(inputs({ votes: new Map([['a', say('checked')]]), members: members(['a', 'ready'], ['c', 'joining']) }))).toMatchObject({ kind: 'commit' });
    expect(nextStep(inputs({ votes: both, members: members(['a', 'ready'], ['b', 'ready'], ['c', 'ready']) }))).toMatchObject({ kind: 'wait' });
  });

  it('takes no vote on other content', () => {
    expect(nextStep(inputs({ votes: new Map([['a', say('checked')], ['b', say('checked', '', FORMER)]]) }))).toMatchObject({ kind: 'wait' });
  });

  it('aborts on one refusal, with its text, and on a silence past the time for all', () => {
    expect(nextStep(inputs({ votes: new Map([['b', say('refused', 'port 80 is in use')]]) }))).toEqual({ kind: 'abort', reason: 'b: port 80 is in use' });
    const late = STARTED_MS + answerLimitMs(2) + 1;
    expect(nextStep(inputs({ tierMs: late }))).toMatchObject({ kind: 'abort', reason: expect.stringContaining('a, b') });
    expect(answerLimitMs(1000)).toBe(15_000);
  });

  it('does nothing while nobody is ready', () => {
    expect(nextStep(inputs({ members: members(['a', 'draining']), tierMs: STARTED_MS + 1e6 }))).toMatchObject({ kind: 'wait' });
  });
});

describe('a canary', () => {
  const canary = { share: 0.2, forMs: 10_000 };
  const asked: RolloutText = { ...plain, canary };
  const all = (count: number): Map<string, MemberStanding> => members(...Array.from({ length: count }, (_, i): [string, 'ready'] => [`m${i}`, 'ready']));
  const checked = (count: number): Map<string, VoteText> => new Map(Array.from({ length: count }, (_, i) => [`m${i}`, say('checked')]));
  const under: CanaryText = { ...plain, phase: 'canary', canary, members: [{ id: 'a', incarnation: 'a-1' }], running: true, untilMs: STARTED_MS + 10_000 };
  const running = new Map([['a', say('runs')], ['b', say('checked')]]);
  const during = (parts: Partial<StepInputs>): StepInputs => inputs({ config: config(under), votes: running, ...parts });

  it('is the share of them rounded up, never all, the same whoever leads, others for another version', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 40 }), fc.double({ min: 0.01, max: 1, noNaN: true }), (count, share) => {
        const step = nextStep(inputs({ config: config({ ...plain, canary: { share, forMs: 1000 } }), members: all(count), votes: checked(count) }));
        if (step.kind !== 'canary') throw new Error(step.kind);
        expect(step.rollout.members).toHaveLength(Math.min(Math.ceil(share * count), count - 1));
        expect(step.rollout).toMatchObject({ running: false, untilMs: STARTED_MS + 100 + answerLimitMs(count) });
      }),
    );
    const of = (shuffled: Map<string, MemberStanding>): unknown => nextStep(inputs({ config: config(asked), members: shuffled, votes: checked(20) }));
    expect(of(all(20))).toEqual(of(new Map([...all(20)].reverse())));
  });

  it('of a tier of one is left out, and that is said', () => {
    expect(nextStep(inputs({ config: config(asked), members: members(['a', 'ready']), votes: running }))).toMatchObject({ kind: 'commit', notes: [expect.stringContaining('no canary')] });
  });

  it('is watched for its time from when all of them run it, however long that took', () => {
    const begun = inputs({ config: config({ ...under, running: false }), votes: running, tierMs: STARTED_MS + 9000 });
    expect(nextStep(begun)).toMatchObject({ kind: 'canary', rollout: { running: true, untilMs: STARTED_MS + 19_000 } });
    expect(nextStep({ ...begun, votes: new Map([['b', say('checked')]]) })).toEqual({ kind: 'wait' });
  });

  it('commits at the end of its time and not before', () => {
    expect(nextStep(during({ tierMs: under.untilMs - 1 }))).toEqual({ kind: 'wait' });
    expect(nextStep(during({ tierMs: under.untilMs }))).toMatchObject({ kind: 'commit', notes: [expect.stringContaining('too few')] });
  });

  it('is aborted if it cannot run it, is lost, is not up in time, or fails more than the rest', () => {
    expect(nextStep(during({ votes: new Map([['a', say('failed', 'no')]]) }))).toEqual({ kind: 'abort', reason: 'a: no' });
    expect(nextStep(during({ members: members(['b', 'ready']) }))).toMatchObject({ kind: 'abort', reason: 'the canary a was lost' });
    expect(nextStep(during({ members: new Map([['a', { id: 'a', incarnation: 'a-2', state: 'ready' }]]) }))).toMatchObject({ kind: 'abort' });
    expect(nextStep(during({ votes: new Map([['b', say('checked')]]), tierMs: under.untilMs }))).toMatchObject({ kind: 'abort', reason: expect.stringContaining('did not run it') });
    const counts = new Map([['a', { requests: 500, errors: 100 }], ['b', { requests: 500, errors: 0 }]]);
    expect(nextStep(during({ errorCounts: counts }))).toMatchObject({ kind: 'abort', reason: expect.stringContaining('fails more') });
  });
});

describe('after a commit', () => {
  const committed = (previous: number | null): TierConfig => config(null, { committedMs: STARTED_MS, previous });
  const failed = (...ids: string[]): Map<string, VoteText> => new Map(ids.map((id) => [id, say('failed', 'no', FORMER)]));
  const three = members(['a', 'ready'], ['b', 'failed'], ['c', 'ready']);

  it('goes back when over half of the members cannot run it, within its time, once', () => {
    expect(nextStep(inputs({ config: committed(5), votes: failed('b', 'c'), members: three }))).toMatchObject({ kind: 'roll-back', to: 5 });
    expect(nextStep(inputs({ config: committed(5), votes: failed('b'), members: three }))).toEqual({ kind: 'wait' });
    expect(nextStep(inputs({ config: committed(5), votes: failed('b', 'c'), members: three, tierMs: STARTED_MS + COMMIT_WATCHED_MS + 1 }))).toEqual({ kind: 'wait' });
    expect(nextStep(inputs({ config: committed(null), votes: failed('a', 'b', 'c'), members: three }))).toEqual({ kind: 'wait' });
  });

  it('a return is committed without asking', () => {
    expect(nextStep(inputs({ config: config({ ...plain, forced: true }), votes: new Map([['a', say('refused', 'no')]]) }))).toEqual({ kind: 'commit', notes: [] });
  });
});

describe('whatever the inputs', () => {
  const vote = fc.record({ kind: fc.constantFrom('checked', 'refused', 'runs', 'failed', 'aborted'), sha: fc.constantFrom(SHA, FORMER), reason: fc.string() });
  const ids = fc.constantFrom('a', 'b', 'c', 'd');
  const standing = fc.uniqueArray(fc.tuple(ids, fc.constantFrom(...states)), { selector: ([id]) => id });
  const votes = fc.uniqueArray(fc.tuple(ids, vote), { selector: ([id]) => id });

  it('nothing is committed that a ready member has not checked, or refused', () => {
    fc.assert(
      fc.property(standing, votes, fc.integer({ min: 0, max: 100_000 }), fc.boolean(), (standings, given, sinceMs, asCanary) => {
        const text: RolloutText = asCanary ? { ...plain, phase: 'canary', canary: { share: 0.5, forMs: 5000 }, members: [{ id: 'a', incarnation: 'a-1' }], running: sinceMs % 2 === 0, untilMs: STARTED_MS + 5000 } : plain;
        const said = new Map(given as [string, VoteText][]);
        const tier = members(...standings);
        const step = nextStep(inputs({ config: config(text), votes: said, members: tier, tierMs: STARTED_MS + sinceMs }));
        expect(step).toEqual(nextStep(inputs({ config: config(text), votes: new Map([...said].reverse()), members: new Map([...tier].reverse()), tierMs: STARTED_MS + sinceMs })));
        if (step.kind !== 'commit') return;
        for (const { id, state } of tier.values()) {
          if (state !== 'ready') continue;
          expect(said.get(id)).toMatchObject({ sha: SHA, kind: expect.stringMatching(/^(checked|runs)$/) });
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('every rollout comes to an end while somebody is ready', () => {
    fc.assert(
      fc.property(standing, votes, (standings, given) => {
        const tier = members(['z', 'ready'], ...standings);
        expect(nextStep(inputs({ votes: new Map(given as [string, VoteText][]), members: tier, tierMs: STARTED_MS + 1e6 })).kind).not.toBe('wait');
      }),
    );
  });
});
