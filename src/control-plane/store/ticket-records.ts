/**
 * The keys of session tickets as the store holds them: one text, opaque to it,
 * in the table of verdicts under `tickets`, so that what carries verdicts to
 * members carries it too. Two adapters keep these rules (memory/tier-state.ts,
 * redis/put-tickets.lua). Pure.
 *
 * **Put** (leader only, compare-and-set on the text it follows): the next text,
 * or none. What the text says, and who may read it, is the members' business
 * (control-plane/tickets); the store never sees a key.
 */
import { hash } from 'node:crypto';
import type { Caller } from './tier-store.ts';

/** Of the table of verdicts. No check has it: an address has a colon. */
export const TICKETS_KEY = 'tickets';
export const TICKETS_CHARS_MAX = 1024;

export interface TicketPut extends Caller {
  /** Of the text it follows: ticketsSha. */
  readonly expectedSha: string;
  /** One line; null: the tier has no keys any more. */
  readonly text: string | null;
}

export type TicketPutAnswer = 'done' | 'not-leader' | 'changed';

/** '': there is none. */
export function ticketsSha(text: string | null): string {
  return text === null ? '' : hash('sha1', text);
}
