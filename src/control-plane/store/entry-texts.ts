/**
 * The texts of members and verdicts in a store's tables: made by the store,
 * read by members. Pure. What is not of the form is null: a store may hold
 * anything.
 */
import type { MemberState } from './tier-store.ts';

/**
 * Text of a member's entry: `STATE INCARNATION READY_SINCE JSON`. READY_SINCE is the tier time at which it
 * became ready, 0 while it is not; JSON is the member's own record (zone, addresses, since …) and opaque here.
 */
export interface MemberEntry {
  readonly state: MemberState;
  readonly incarnation: string;
  readonly readySinceMs: number;
  readonly record: string;
}

export function memberText({ state, incarnation, readySinceMs, record }: MemberEntry): string {
  return `${state} ${incarnation} ${readySinceMs} ${record}`;
}

/** null: not of that form. */
export function parseMember(text: string): MemberEntry | null {
  const parts = /^(joining|ready|draining|failed) (\S+) (\d+) (.*)$/s.exec(text);
  if (parts === null) return null;
  return { state: parts[1] as MemberState, incarnation: parts[2]!, readySinceMs: Number(parts[3]), record: parts[4]! };
}

/** The text of a verdict: `up|down AT_MS WHO[,WHO] REASON`. WHO: the members whose reports decided it. */
export interface VerdictEntry {
  readonly check: string;
  readonly verdict: 'up' | 'down';
  readonly reason: string;
  /** Wall time of the report that decided it. */
  readonly atMs: number;
  readonly by: readonly string[];
}

export function verdictText({ verdict, atMs, by, reason }: Omit<VerdictEntry, 'check'>): string {
  return `${verdict} ${atMs} ${by.join(',')} ${reason}`;
}

export function parseVerdict(check: string, text: string): VerdictEntry | null {
  const parts = /^(up|down) (\d+) (\S+) (.*)$/s.exec(text);
  if (parts === null) return null;
  return { check, verdict: parts[1] as 'up' | 'down', atMs: Number(parts[2]), by: parts[3]!.split(','), reason: parts[4]! };
}
