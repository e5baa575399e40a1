/**
 * The members of the tier as this proxy goes by them: parsed, counted, and with
 * a timer for the moment at which somebody has been ready for a lease and may
 * go on duty. Those moments are taken together on a grid of tier time, the same
 * in every member: each is a walk over all members and checks, and a tier of a
 * thousand that starts at once has a thousand of them. Owned by the tier link.
 * An entry that does not parse is missing.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import { parseMember } from '../store/entry-texts.ts';
import type { Member, MemberRecord } from './membership.ts';
import type { TableEntry } from './table-copy.ts';

export interface MemberViewOptions {
  readonly clock: Clock;
  readonly tierMs: () => number;
  readonly leaseMs: () => number;
  /** Who is on duty may have changed. */
  readonly onChange: () => void;
  readonly unreadable: (key: string) => void;
}

/** Who has been ready for a lease is counted when tier time is a multiple of this. */
const PROVEN_GRID_MS = 100;

export class MemberView {
  readonly #options: MemberViewOptions;
  #members = new Map<string, Member>();
  #readyCount = 0;
  #timer: Timer | null = null;
  /** How many have been ready for a lease, when that was last told. Of the same members as many are the same ones. */
  #proven = 0;
  /** Since when the last of those has been ready, and the first of the others. */
  #lastProvenMs = Number.NEGATIVE_INFINITY;
  #nextProvenMs = Number.POSITIVE_INFINITY;

  constructor(options: MemberViewOptions) {
    this.#options = options;
  }

  get members(): ReadonlyMap<string, Member> {
    return this.#members;
  }

  /** 1 at least. */
  get readyCount(): number {
    return Math.max(1, this.#readyCount);
  }

  change(entries: readonly TableEntry[]): void {
    if (entries.length === 0) return;
    for (const { key, text } of entries) this.#set(key, text);
    this.#changed();
  }

  replace(entries: Iterable<readonly [key: string, text: string]>): void {
    this.#members = new Map();
    this.#readyCount = 0;
    for (const [key, text] of entries) this.#set(key, text);
    this.#changed();
  }

  /** Tier time and this process's clock have been put together anew: it may have gone over such a moment, either way. */
  tierTimeSet(): void {
    const { tierMs, leaseMs } = this.#options;
    const nowMs = tierMs();
    // Every answered call comes here, nearly always with nothing new to be counted.
    if (nowMs - leaseMs() >= this.#lastProvenMs && nowMs - leaseMs() < this.#nextProvenMs) return this.#setTimer(nowMs);
    const told = this.#proven;
    this.#arm();
    if (this.#proven !== told) this.#options.onChange();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #set(key: string, text: string | null): void {
    if (this.#members.get(key)?.state === 'ready') this.#readyCount--;
    this.#members.delete(key);
    if (text === null) return;
    const member = memberOf(key, text);
    if (member === null) return this.#options.unreadable(key);
    this.#members.set(key, member);
    if (member.state === 'ready') this.#readyCount++;
  }

  #changed(): void {
    this.#arm();
    this.#options.onChange();
  }

  /** Counts who has been ready for a lease, and sets the timer to the next place on the grid at which somebody else will have been. */
  #arm(): void {
    const { tierMs, leaseMs } = this.#options;
    const nowMs = tierMs();
    const since = nowMs - leaseMs();
    this.#proven = 0;
    this.#lastProvenMs = Number.NEGATIVE_INFINITY;
    this.#nextProvenMs = Number.POSITIVE_INFINITY;
    for (const { state, readySinceMs } of this.#members.values()) {
      if (state !== 'ready') continue;
      if (readySinceMs > since) {
        if (readySinceMs < this.#nextProvenMs) this.#nextProvenMs = readySinceMs;
        continue;
      }
      this.#proven++;
      if (readySinceMs > this.#lastProvenMs) this.#lastProvenMs = readySinceMs;
    }
    this.#setTimer(nowMs);
  }

  #setTimer(nowMs: number): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#nextProvenMs === Number.POSITIVE_INFINITY) return;
    const { clock, leaseMs } = this.#options;
    const dueMs = Math.ceil((this.#nextProvenMs + leaseMs()) / PROVEN_GRID_MS) * PROVEN_GRID_MS;
    // Rounded up, so that when it fires it is so.
    this.#timer = clock.after(Math.ceil(dueMs - nowMs) + 1, () => {
      this.#timer = null;
      this.#changed();
    });
  }
}

/** null: not a member's entry. What a record lacks or has otherwise than it should is empty; what it has besides is kept. */
function memberOf(id: string, text: string): Member | null {
  const entry = parseMember(text);
  if (entry === null) return null;
  let json: unknown;
  try {
    json = JSON.parse(entry.record);
  } catch {
    return null;
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return null;
  const { incarnation, state, readySinceMs } = entry;
  return { id, incarnation, state, readySinceMs, record: recordOf(json as Readonly<Record<string, unknown>>) };
}

function recordOf(json: Readonly<Record<string, unknown>>): MemberRecord {
  const text = (key: string): string => (typeof json[key] === 'string' ? json[key] : '');
  const count = (key: string): number => (typeof json[key] === 'number' ? json[key] : 0);
  const addresses = Array.isArray(json['addresses']) ? json['addresses'].filter((each): each is string => typeof each === 'string') : [];
  return { ...json, zone: text('zone'), addresses, sinceMs: count('sinceMs'), software: text('software'), protocol: count('protocol'), reason: text('reason'), history: text('history') };
}
