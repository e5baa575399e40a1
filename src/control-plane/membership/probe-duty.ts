/**
 * Which members probe a check: all that know the same members come to the same
 * k probers, without a word between them, and a change of one member moves its
 * own checks only. By rendezvous: of a check each candidate has a score, and
 * the best are chosen, zone by zone in rounds, so that no two are in one zone
 * while another zone has a candidate. Pure; the caller says who the candidates
 * are and when they change.
 *
 * Kept incrementally. Of the chosen of each zone there is none left out with a
 * higher score, so a member that is new need only be held against the chosen,
 * and one that leaves concerns only the checks that it was chosen for.
 */
import { hash32, mix32 } from '../../base/hash.ts';
import type { Member } from './membership.ts';

export interface DutyCandidate {
  readonly id: string;
  readonly zone: string;
}

/** This member's place among the probers of a check. */
export interface DutyPlace {
  readonly index: number;
  readonly of: number;
}

interface Candidate extends DutyCandidate {
  readonly hash: number;
}

interface Chosen {
  /** At most k, best first. */
  readonly members: readonly Candidate[];
  /** The lowest score among them. */
  readonly lowest: number;
  /** How many others of its zone come before the last of them. */
  readonly lastRound: number;
}

interface Ranked {
  readonly candidate: Candidate;
  /** How many of its zone come before it. */
  readonly round: number;
}

interface Duty {
  readonly check: string;
  readonly hash: number;
  chosen: Chosen;
  mine: DutyPlace | null;
}

/** More than one in so many new: to choose from all is the quicker way. */
const FRESH_SHARE = 8;

const NOBODY: Chosen = { members: [], lowest: 0, lastRound: 0 };

/** Who may be chosen, and how many of them a check has: k = min(probers, N), N being the ready members. */
export function dutyCandidates(members: Iterable<Member>, terms: { readonly tierMs: number; readonly leaseMs: number; readonly probers: number }): { readonly candidates: readonly DutyCandidate[]; readonly probers: number } {
  const all = [...members];
  const ready = all.filter(({ state }) => state === 'ready');
  const probers = Math.max(1, Math.min(terms.probers, ready.length));
  const proven = ready.filter(({ readySinceMs }) => readySinceMs + terms.leaseMs <= terms.tierMs);
  const withJoining = all.filter(({ state }) => state === 'ready' || state === 'joining');
  const withDraining = all.filter(({ state }) => state !== 'failed');
  const enough = [proven, ready, withJoining, withDraining].find((group) => group.length >= probers) ?? all;
  return { candidates: enough.map(({ id, record }) => ({ id, zone: record.zone })), probers };
}

export class ProbeDuty {
  readonly #self: string;
  readonly #duties = new Map<string, Duty>();
  readonly #candidates = new Map<string, Candidate>();
  #zones: ReadonlyMap<string, readonly Candidate[]> = new Map();
  #probers = 1;

  constructor(self: string) {
    this.#self = self;
  }

  /** Checks of which this member's place has changed. Called far more often than anything does change. */
  setCandidates(candidates: readonly DutyCandidate[], probers: number): readonly string[] {
    const { gone, fresh } = this.#changes(candidates);
    const isOther = probers !== this.#probers;
    if (gone.size === 0 && fresh.length === 0 && !isOther) return [];
    for (const { id } of gone) this.#candidates.delete(id);
    for (const candidate of fresh) this.#candidates.set(candidate.id, candidate);
    this.#zones = Map.groupBy(this.#candidates.values(), ({ zone }) => zone);
    this.#probers = probers;
    const isNewTier = isOther || fresh.length * FRESH_SHARE > this.#candidates.size;
    const moved: string[] = [];
    for (const duty of this.#duties.values()) {
      const chosen = isNewTier || duty.chosen.members.some((candidate) => gone.has(candidate)) ? this.#choose(duty.hash) : this.#admitAll(duty, fresh);
      if (this.#place(duty, chosen)) moved.push(duty.check);
    }
    return moved;
  }

  add(check: string): DutyPlace | null {
    const known = this.#duties.get(check);
    if (known !== undefined) return known.mine;
    const duty: Duty = { check, hash: hash32(check), chosen: NOBODY, mine: null };
    this.#duties.set(check, duty);
    this.#place(duty, this.#choose(duty.hash));
    return duty.mine;
  }

  remove(check: string): void {
    this.#duties.delete(check);
  }

  /** These checks and no others. */
  setChecks(checks: Iterable<string>): void {
    const wanted = new Set(checks);
    for (const check of this.#duties.keys()) if (!wanted.has(check)) this.#duties.delete(check);
    for (const check of wanted) this.add(check);
  }

  /** null: this member does not probe it, or it is not known here. */
  place(check: string): DutyPlace | null {
    return this.#duties.get(check)?.mine ?? null;
  }

  /** Ids, best first. */
  probersOf(check: string): readonly string[] {
    return this.#duties.get(check)?.chosen.members.map(({ id }) => id) ?? [];
  }

  /** Checks that this member probes. */
  *mine(): Iterable<readonly [check: string, place: DutyPlace]> {
    for (const { check, mine } of this.#duties.values()) if (mine !== null) yield [check, mine];
  }

  /** One who is in another zone than before has gone, and come. */
  #changes(candidates: readonly DutyCandidate[]): { readonly gone: ReadonlySet<Candidate>; readonly fresh: readonly Candidate[] } {
    const gone = new Set<Candidate>();
    const fresh: Candidate[] = [];
    let stay = 0;
    for (const { id, zone } of candidates) {
      const known = this.#candidates.get(id);
      if (known !== undefined) stay++;
      if (known?.zone === zone) continue;
      if (known !== undefined) gone.add(known);
      fresh.push({ id, zone, hash: hash32(id) });
    }
    if (stay === this.#candidates.size) return { gone, fresh };
    const ids = new Set(candidates.map(({ id }) => id));
    for (const known of this.#candidates.values()) if (!ids.has(known.id)) gone.add(known);
    return { gone, fresh };
  }

  /** True if this member's place is another than before. */
  #place(duty: Duty, chosen: Chosen): boolean {
    if (chosen === duty.chosen) return false;
    const former = duty.mine;
    const index = chosen.members.findIndex(({ id }) => id === this.#self);
    duty.chosen = chosen;
    duty.mine = index === -1 ? null : { index, of: chosen.members.length };
    return former?.index !== duty.mine?.index || former?.of !== duty.mine?.of;
  }

  /** From all candidates: of each zone its best, then of those the best of all. */
  #choose(hash: number): Chosen {
    const best: Ranked[] = [];
    for (const zone of this.#zones.values()) {
      bestOf(zone, hash, this.#probers).forEach((candidate, round) => best.push({ candidate, round }));
    }
    return this.#firstOf(hash, best);
  }

  #admitAll(duty: Duty, fresh: readonly Candidate[]): Chosen {
    let chosen = duty.chosen;
    for (const candidate of fresh) chosen = this.#admit(duty.hash, chosen, candidate);
    return chosen;
  }

  /** The best k of the chosen and one more; the very same if it is not among them. */
  #admit(hash: number, chosen: Chosen, candidate: Candidate): Chosen {
    if (chosen.members.length === this.#probers && isLast(hash, chosen, candidate)) return chosen;
    const byScore = [...chosen.members, candidate].sort((a, b) => compare(hash, a, b));
    const ranked = byScore.map((each, i) => ({ candidate: each, round: byScore.slice(0, i).filter(({ zone }) => zone === each.zone).length }));
    return this.#firstOf(hash, ranked);
  }

  #firstOf(hash: number, ranked: Ranked[]): Chosen {
    const first = ranked.sort((a, b) => a.round - b.round || compare(hash, a.candidate, b.candidate)).slice(0, this.#probers);
    if (first.length === 0) return NOBODY;
    return {
      members: first.map(({ candidate }) => candidate),
      lowest: Math.min(...first.map(({ candidate }) => scoreOf(hash, candidate))),
      lastRound: first[first.length - 1]!.round,
    };
  }
}

/** It scores lower than all the chosen, and its turn comes no sooner than that of the last: nearly every candidate, so this must cost next to nothing. */
function isLast(hash: number, { members, lowest, lastRound }: Chosen, candidate: Candidate): boolean {
  if (scoreOf(hash, candidate) >= lowest) return false;
  let round = 0;
  for (const { zone } of members) if (zone === candidate.zone) round++;
  return round >= lastRound;
}

/** The `count` best, best first. Runs over every candidate of every check when a tier is first seen: millions. */
function bestOf(zone: readonly Candidate[], hash: number, count: number): Candidate[] {
  const best: Candidate[] = [];
  const scores: number[] = [];
  for (const candidate of zone) {
    const score = scoreOf(hash, candidate);
    let at = best.length;
    while (at > 0 && (scores[at - 1]! < score || (scores[at - 1] === score && candidate.id < best[at - 1]!.id))) at--;
    if (at === count) continue;
    best.splice(at, 0, candidate);
    scores.splice(at, 0, score);
    if (best.length > count) {
      best.pop();
      scores.pop();
    }
  }
  return best;
}

function scoreOf(hash: number, candidate: Candidate): number {
  return mix32(hash ^ candidate.hash);
}

/** Below 0: `a` scores higher of this check. */
function compare(hash: number, a: Candidate, b: Candidate): number {
  return scoreOf(hash, b) - scoreOf(hash, a) || (a.id < b.id ? -1 : 1);
}
