/**
 * What the Lua operations answer (see their headers), as the answers of
 * TierStore. A reply of another form is no good answer: StoreAway.
 */
import type { RoleAdmissionAnswer } from '../role-records.ts';
import { StoreAway, type ConfigHead, type ConfigState, type JoinAnswer, type MemberState, type PublishAnswer, type ReadUpTo, type RolloutEntry, type StoreAnswer, type StoreHint, type StoredVersion, type TableChanges } from '../tier-store.ts';

const META_FIELDS = 26;

const NOTHING: TableChanges = { whole: false, entries: [], epoch: 0, more: false, count: 0, digest: 0 };

/** How a caller names what it has read: the beginning of ` meta` (prelude.lua), if nothing is new. */
export function haveText(have: ReadUpTo | null): string {
  return have === null ? '' : `${have.run} ${have.members} ${have.verdicts} ${have.operatorStates} ${have.config} `;
}

/** Of call.lua: a text, or with the config a pair, is the answer to a quiet heartbeat (quiet.lua). */
export function readAnswer(reply: unknown): StoreAnswer {
  if (typeof reply === 'string') return readAnswer([reply, null]);
  const parts = listOf(reply);
  if (parts.length !== 2) return readWhole(parts);
  const [, tierMs, state, meta] = /^(\d+) (\S+) (.*)$/s.exec(textOf(parts[0])) ?? [];
  return readWhole([meta, tierMs, state, 0, -1, '', 0, 0, 0, parts[1]]);
}

function readWhole([meta, tierMs, state, differ, publishInMs, watched, members, verdicts, operatorStates, config]: readonly unknown[]): StoreAnswer {
  const words = textOf(meta).split(' ');
  if (words.length !== META_FIELDS) throw garbled();
  const n = (index: number): number => numberOf(words[index]);
  const frame = { run: words[0]!, tierMs: numberOf(tierMs), leader: words[7] === '-' ? null : { member: words[6]!, incarnation: words[7]!, term: n(8) }, protocol: n(9) };
  if (state === '') return { ...frame, living: false, state: 'joining', reportsDiffer: false, publishInMs: null, members: NOTHING, verdicts: NOTHING, operatorStates: NOTHING, config: null, watched: [] };
  return {
    ...frame,
    living: true,
    state: textOf(state) as MemberState,
    reportsDiffer: differ === 1,
    publishInMs: publishInMs === -1 ? null : numberOf(publishInMs),
    members: readChanges(members, { epoch: n(1), count: n(12), digest: n(13) }),
    verdicts: readChanges(verdicts, { epoch: n(2), count: n(15), digest: n(16) }),
    operatorStates: readChanges(operatorStates, { epoch: n(3), count: n(18), digest: n(19) }),
    config: config === null ? null : readConfig(config, n(4)),
    watched: linesOf(watched).sort(),
  };
}

/** 0 in place of a page: nothing is new. */
function readChanges(reply: unknown, table: Pick<TableChanges, 'epoch' | 'count' | 'digest'>): TableChanges {
  if (reply === 0) return { whole: false, entries: [], more: false, ...table };
  const [whole, more, epoch, ...flat] = listOf(reply);
  const entries: { key: string; text: string | null }[] = [];
  for (let i = 0; i < flat.length; i += 2) entries.push({ key: textOf(flat[i]), text: flat[i + 1] === null ? null : textOf(flat[i + 1]) });
  return { ...table, whole: whole === 1, entries, epoch: numberOf(epoch), more: more === 1 };
}

function readConfig(reply: unknown, epoch: number): ConfigState {
  const [head, rollout] = listOf(reply);
  return { epoch, head: readHead(head), rollout: readRollout(rollout) };
}

/** What is of another form is missing. */
function readHead(reply: unknown): ConfigHead | null {
  const parts = /^(\S+) (\d+) (\S+) (.*)$/s.exec(typeof reply === 'string' ? reply : '');
  return parts === null ? null : { history: parts[1]!, number: Number(parts[2]), sha: parts[3]!, text: parts[4]! };
}

function readRollout(reply: unknown): RolloutEntry | null {
  const parts = /^(\d+) (\d+) (\d+) \S+ \S+ (.*)$/s.exec(typeof reply === 'string' ? reply : '');
  return parts === null ? null : { number: Number(parts[1]), step: Number(parts[2]), startedMs: Number(parts[3]), text: parts[4]! };
}

export function readJoin(reply: unknown): JoinAnswer {
  const [kind, first, second] = listOf(reply);
  if (kind === 'joined') return { kind, tierMs: numberOf(first), run: textOf(second) };
  if (kind === 'wait') return { kind, waitMs: numberOf(first) };
  if (kind === 'taken') return { kind };
  if (kind === 'history') return { kind, history: textOf(first) };
  if (kind === 'protocol') return { kind, protocol: numberOf(first) };
  throw garbled();
}

export function readPublish(reply: unknown): PublishAnswer {
  const [kind, first] = listOf(reply);
  if (kind === 'started' || kind === 'same' || kind === 'busy') return { kind, number: numberOf(first) };
  if (kind === 'stale') return { kind, head: readHead(first) };
  if (kind === 'number') return { kind, used: numberOf(first) };
  if (kind === 'not-living') return { kind };
  throw garbled();
}

export function readAdmission(reply: unknown): RoleAdmissionAnswer {
  const [kind, ...members] = listOf(reply);
  if (kind === 'waits') return { kind, members: members.map(textOf) };
  if (kind === 'done' || kind === 'not-leader' || kind === 'changed') return { kind };
  throw garbled();
}

/** A version's text as held: `SHA BYTES TEXT`; null: none. */
export function readVersion(number: number, text: string): StoredVersion | null {
  const parts = /^(\S+) \d+ (.*)$/s.exec(text);
  return parts === null ? null : { number, sha: parts[1]!, text: parts[2]! };
}

export function readPairs(reply: unknown): (readonly [string, string])[] {
  const flat = listOf(reply);
  const pairs: (readonly [string, string])[] = [];
  for (let i = 0; i < flat.length; i += 2) pairs.push([textOf(flat[i]), textOf(flat[i + 1])]);
  return pairs;
}

/** null: not of that form. A message may come from anyone who can publish. */
export function readHint(message: string): StoreHint | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(message);
  } catch {
    return null;
  }
  if (typeof parsed !== 'object' || parsed === null) return null;
  const { run, verdictsFrom, verdictsTo, verdicts, operatorStates, config, suspicions } = parsed as Record<string, unknown>;
  if (typeof run !== 'string' || ![verdictsFrom, verdictsTo, operatorStates, config].every(Number.isSafeInteger)) return null;
  if (!(suspicions === null || isList(suspicions, (each) => typeof each === 'string'))) return null;
  if (!(verdicts === null || isList(verdicts, isPair))) return null;
  return {
    run,
    verdictsFrom: verdictsFrom as number,
    verdictsTo: verdictsTo as number,
    verdicts: verdicts === null ? null : (verdicts as [string, string | null][]).map(([key, text]) => ({ key, text })),
    operatorStates: operatorStates as number,
    config: config as number,
    suspicions: suspicions as string[] | null,
  };
}

function isList(value: unknown, isEach: (each: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isEach);
}

function isPair(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === 'string' && (value[1] === null || typeof value[1] === 'string');
}

export function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw garbled();
  return value;
}

export function textOf(value: unknown): string {
  if (typeof value !== 'string') throw garbled();
  return value;
}

export function numberOf(value: unknown): number {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isFinite(number)) throw garbled();
  return number;
}

function linesOf(value: unknown): string[] {
  return textOf(value).split('\n').filter((line) => line !== '');
}

function garbled(): StoreAway {
  return new StoreAway('garbled answer');
}
