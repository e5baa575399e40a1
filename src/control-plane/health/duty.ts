/**
 * Which checks this proxy probes, how often and when. Connected, the tier's
 * roster says who probes what; what is outside the committed config nobody
 * else knows, so whoever has it probes it; cut off from the store a proxy
 * probes all it has, so much less often that a backend sees about as many
 * probes as before. Times of regular probes lie on a grid in tier time, so that
 * the probers of one check are evenly apart and those of many checks spread,
 * without a word between them.
 */
import type { Clock } from '../../base/clock.ts';
import { hash32 } from '../../base/hash.ts';
import type { Random } from '../../base/random.ts';
import type { Membership } from '../membership/membership.ts';
import { dutyCandidates, type ProbeDuty } from '../membership/probe-duty.ts';

/** Who of the tier probes a check. */
export type DutyRoster = Pick<ProbeDuty, 'add' | 'remove' | 'setCandidates'>;

/** Of the running config: `tier`. */
export interface TierPace {
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  readonly probers: number;
}

/** When a check is regularly probed: each `everyMs` of tier time, at `offsetMs` past it. */
export interface Assignment {
  readonly everyMs: number;
  readonly offsetMs: number;
}

export interface DutyOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly membership: Pick<Membership, 'id' | 'state' | 'members' | 'readyCount' | 'tierMs'>;
  readonly roster: DutyRoster;
  readonly pace: () => TierPace;
}

/** The whole width within which a regular probe starts, about its place on the grid. */
const JITTER_SHARE = 0.05;
const JITTER_MS_MAX = 50;
/** Cut off, a backend is probed at least this often. */
const AUTONOMOUS_MS_MAX = 30_000;

export class Duty {
  readonly #options: DutyOptions;
  /** Checks of the committed config; null: the running one is the committed one. */
  #committed: ReadonlySet<string> | null = null;
  #inDoubt = false;

  constructor(options: DutyOptions) {
    this.#options = options;
  }

  /** The running config is not the tier's: `committed` are the checks of the one that is. null: it is the tier's. */
  setCommitted(committed: ReadonlySet<string> | null): void {
    this.#committed = committed;
  }

  /** In doubt of itself this proxy probes nothing for the tier. */
  set inDoubt(inDoubt: boolean) {
    this.#inDoubt = inDoubt;
  }

  /** The tier's members, or its pace, may have changed: the checks of which this proxy's place has. */
  membersChanged(): readonly string[] {
    const { membership, roster, pace } = this.#options;
    const { leaseMs, probers: wanted } = pace();
    const { candidates, probers } = dutyCandidates(membership.members.values(), { tierMs: membership.tierMs(), leaseMs, probers: wanted });
    return roster.setCandidates(candidates, probers);
  }

  /** No config asks for it any more. */
  forget(check: string): void {
    this.#options.roster.remove(check);
  }

  /** null: not this proxy's to probe. */
  assignmentOf(check: string, intervalMs: number): Assignment | null {
    const { membership, roster } = this.#options;
    const { phase } = membership.state;
    if (phase === 'joining') return null;
    if (phase === 'autonomous' || phase === 'settling') return this.#alone(check, this.#autonomousMs(intervalMs));
    if (this.#inDoubt) return null;
    if (this.#committed?.has(check) === false) return this.#alone(check, intervalMs);
    const place = roster.add(check);
    return place === null ? null : { everyMs: intervalMs, offsetMs: ((hash32(check) % intervalMs) + (place.index * intervalMs) / place.of) % intervalMs };
  }

  /** Monotonic time of the first regular probe that begins after one at `startMs`. */
  nextMs({ everyMs, offsetMs }: Assignment, startMs: number): number {
    const { clock, random, membership } = this.#options;
    const widthMs = Math.min(everyMs * JITTER_SHARE, JITTER_MS_MAX);
    const toTierMs = membership.tierMs() - clock.monotonicMs();
    // The probe that began at `startMs` may have been this early for its own place on the grid.
    const afterMs = startMs + toTierMs + widthMs / 2 + 1;
    const gridMs = offsetMs + Math.ceil((afterMs - offsetMs) / everyMs) * everyMs;
    return gridMs - toTierMs + widthMs * (random.next() - 0.5);
  }

  /** A repeat comes a little early at times, never late: detection has its bound. */
  repeatMs(baseMs: number): number {
    return baseMs - Math.min(baseMs * JITTER_SHARE, JITTER_MS_MAX) * this.#options.random.next();
  }

  #alone(check: string, everyMs: number): Assignment {
    return { everyMs, offsetMs: hash32(`${check} ${this.#options.membership.id}`) % everyMs };
  }

  #autonomousMs(intervalMs: number): number {
    const ready = Math.max(1, this.#options.membership.readyCount);
    const probers = Math.max(1, Math.min(this.#options.pace().probers, ready));
    return Math.min(intervalMs * Math.ceil(ready / probers), Math.max(intervalMs, AUTONOMOUS_MS_MAX));
  }
}
