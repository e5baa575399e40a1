/**
 * What a member says is put into the form the store takes before it is queued:
 * a store refuses a call whole, so one odd text would hold up all the rest.
 */
import type { OperatorPut, VerdictReport } from '../store/tier-store.ts';
import { REASON_CHARS_MAX } from '../store/step-limits.ts';

/** Reasons come from backends and from the system, and may be anything. */
export function wellFormed({ check, verdict, reason, atMs }: VerdictReport): VerdictReport {
  return { check, verdict, reason: reason.replaceAll(/\s+/g, ' ').slice(0, REASON_CHARS_MAX), atMs: Math.max(0, Math.floor(atMs)) };
}

export function isOneLine(text: string): boolean {
  return text !== '' && !text.includes('\n');
}

export function isPut({ key, stampMs, by, text }: OperatorPut): boolean {
  return isOneLine(key) && Number.isSafeInteger(stampMs) && stampMs >= 0 && /^\S+$/.test(by) && text.startsWith(`${stampMs} ${by} `) && !text.includes('\n');
}
