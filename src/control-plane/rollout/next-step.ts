/**
 * What the leader does next about a config: a pure function of what the store
 * says, so that any leader goes on where another stopped, and two that both
 * believe to lead would do the same (the store lets one of them do it, once).
 *
 *   validate ─ all ready members have checked it ─→ canary ─ runs on some ─→ watched ─ long enough ─→ commit
 *      └───── one refuses, or is silent too long ─────┴──── or cannot run it ───┴── or fails more ───→ abort
 *
 * After a commit that over half of the members cannot run, the former content
 * is published anew.
 */
import { hash32 } from '../../base/hash.ts';
import type { Member } from '../membership/membership.ts';
import type { CanaryText, RolloutText, TierConfig, VoteText } from './config-texts.ts';
import { judgeCanary, sumCounts, type ErrorCount } from './error-gate.ts';

export type MemberStanding = Pick<Member, 'id' | 'incarnation' | 'state'>;

export interface StepInputs {
  readonly config: TierConfig;
  /** On the number of the rollout or, without one, of the head. */
  readonly votes: ReadonlyMap<string, VoteText>;
  readonly members: ReadonlyMap<string, MemberStanding>;
  /** By member, since the canary began; who is not in it has counted nothing. */
  readonly errorCounts: ReadonlyMap<string, ErrorCount>;
  readonly tierMs: number;
  readonly leaseMs: number;
}

export type NextStep =
  | { readonly kind: 'wait' }
  | { readonly kind: 'canary'; readonly rollout: CanaryText }
  | { readonly kind: 'commit'; readonly notes: readonly string[] }
  | { readonly kind: 'abort'; readonly reason: string }
  /** To the content of version `to`, since the head cannot be run. */
  | { readonly kind: 'roll-back'; readonly to: number; readonly reason: string };

const WAIT: NextStep = { kind: 'wait' };

/** How long a member may take to check a config, or to take it: 10 s, and 5 ms for each member since all fetch it at once. */
export function answerLimitMs(members: number): number {
  return 10_000 + 5 * members;
}

/** After a commit, failures to run it count for so long. */
export const COMMIT_WATCHED_MS = 10_000;

export function nextStep(inputs: StepInputs): NextStep {
  const { rollout } = inputs.config;
  if (rollout === null) return afterCommit(inputs);
  const { text } = rollout;
  if (text.forced) return { kind: 'commit', notes: [] };
  return text.phase === 'validate' ? validating(inputs, text, rollout.number, rollout.startedMs) : watchingCanary(inputs, text);
}

function validating(inputs: StepInputs, text: RolloutText, number: number, startedMs: number): NextStep {
  const { tierMs } = inputs;
  const { ready, refusal, missing } = poll(inputs, text.sha);
  if (refusal !== null) return refusal;
  if (ready.length === 0) return WAIT;
  const limitMs = answerLimitMs(ready.length);
  if (missing.length > 0) return tierMs - startedMs > limitMs ? { kind: 'abort', reason: `${named(missing)} did not say within ${limitMs / 1000} s whether it can run it` } : WAIT;
  if (text.canary === null) return { kind: 'commit', notes: [] };
  const size = Math.min(Math.ceil(text.canary.share * ready.length), ready.length - 1);
  if (size === 0) return { kind: 'commit', notes: ['no canary: one member alone has nobody to be compared with'] };
  const members = chosen(ready, number, size).map(({ id, incarnation }) => ({ id, incarnation }));
  return { kind: 'canary', rollout: { ...text, phase: 'canary', members, running: false, untilMs: tierMs + limitMs } };
}

function watchingCanary(inputs: StepInputs, text: CanaryText): NextStep {
  const { votes, members, errorCounts, tierMs, leaseMs } = inputs;
  const silent: string[] = [];
  for (const { id, incarnation } of text.members) {
    if (members.get(id)?.incarnation !== incarnation) return { kind: 'abort', reason: `the canary ${id} was lost` };
    const vote = votes.get(id);
    if (vote?.kind === 'failed' && vote.sha === text.sha) return { kind: 'abort', reason: `${id}: ${vote.reason}` };
    if (vote?.kind !== 'runs' || vote.sha !== text.sha) silent.push(id);
  }
  const isOver = tierMs >= text.untilMs;
  if (silent.length > 0) return isOver ? { kind: 'abort', reason: `the canary ${named(silent)} did not run it in time` } : WAIT;
  if (!text.running) return { kind: 'canary', rollout: { ...text, running: true, untilMs: tierMs + (text.canary?.forMs ?? 0) } };
  const canaries = new Set(text.members.map(({ id }) => id));
  const gate = judgeCanary(sumOf(errorCounts, (id) => canaries.has(id)), sumOf(errorCounts, (id) => !canaries.has(id)), isOver);
  if (gate.kind === 'fail') return { kind: 'abort', reason: gate.reason };
  const { refusal, missing } = poll(inputs, text.sha);
  if (refusal !== null) return refusal;
  if (!isOver) return WAIT;
  // Who became ready meanwhile is asked too, but the canaries wait no longer than they may.
  if (missing.length > 0) return tierMs >= text.untilMs + leaseMs / 2 ? { kind: 'abort', reason: `${named(missing)} has not checked it` } : WAIT;
  return { kind: 'commit', notes: gate.note === '' ? [] : [gate.note] };
}

function afterCommit({ config: { head }, votes, members, tierMs }: StepInputs): NextStep {
  if (head === null || head.text.previous === null || head.text.committedMs === 0) return WAIT;
  const sinceMs = tierMs - head.text.committedMs;
  if (sinceMs < 0 || sinceMs > COMMIT_WATCHED_MS) return WAIT;
  const asked = [...members.values()].filter(({ state }) => state === 'ready' || state === 'failed');
  const failed = asked.filter(({ id }) => votes.get(id)?.kind === 'failed' && votes.get(id)?.sha === head.sha);
  if (failed.length * 2 <= asked.length) return WAIT;
  const [first] = failed.sort(byId);
  return { kind: 'roll-back', to: head.text.previous, reason: `${failed.length} of ${asked.length} members cannot run version ${head.number}; ${first!.id}: ${votes.get(first!.id)!.reason}` };
}

interface Poll {
  readonly ready: readonly MemberStanding[];
  readonly refusal: NextStep | null;
  /** Ready ones that have not said anything on this content. */
  readonly missing: readonly string[];
}

/** What the members that are ready at this moment say of a content. */
function poll({ members, votes }: StepInputs, sha: string): Poll {
  const ready = [...members.values()].filter(({ state }) => state === 'ready').sort(byId);
  const missing: string[] = [];
  for (const { id } of ready) {
    const vote = votes.get(id);
    if (vote === undefined || vote.sha !== sha || vote.kind === 'aborted') missing.push(id);
    else if (vote.kind === 'refused' || vote.kind === 'failed') return { ready, refusal: { kind: 'abort', reason: `${id}: ${vote.reason}` }, missing };
  }
  return { ready, refusal: null, missing };
}

/** Those whose hash with the version is least: another few each time, the same for any leader. */
function chosen(ready: readonly MemberStanding[], number: number, size: number): readonly MemberStanding[] {
  const place = ({ id }: MemberStanding): number => hash32(`${number} ${id}`);
  return [...ready].sort((a, b) => place(a) - place(b) || byId(a, b)).slice(0, size);
}

function byId(a: MemberStanding, b: MemberStanding): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

function sumOf(counts: ReadonlyMap<string, ErrorCount>, isMeant: (id: string) => boolean): ErrorCount {
  return sumCounts([...counts].filter(([id]) => isMeant(id)).map(([, count]) => count));
}

const NAMED_MAX = 5;

function named(ids: readonly string[]): string {
  return ids.length <= NAMED_MAX ? ids.join(', ') : `${ids.slice(0, NAMED_MAX).join(', ')} and ${ids.length - NAMED_MAX} more`;
}
