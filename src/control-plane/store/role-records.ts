/**
 * Which backend of a role pool is served, as the store holds it: one record a
 * pool, in the table of verdicts under `role POOL`, so that what carries
 * verdicts to members carries it too. Two adapters keep these rules
 * (memory/role-book.ts, redis/roles.lua). Pure.
 *
 * **Epochs.** Each record of a pool has a greater epoch than the one before:
 * its number + 1, or the store's wall time if that is greater, so that an epoch
 * lost in a failover is hardly ever given to another record.
 *
 * **Move** (leader only, compare-and-set on the epoch): a record of the next
 * epoch, `withdrawing`: nobody may serve another address than the one it names,
 * and who did not serve that one before does not yet. Former acknowledgements
 * are forgotten. Without an address the record goes.
 *
 * **Acknowledge** (any living member): "I serve no other address than that of
 * this epoch's record, and never will again under an older one." Of a later
 * record than the store has, or of another one of the same epoch, it is proof
 * that the store has lost writes: the address it names is withdrawing under the
 * epoch after it, and all must acknowledge that.
 *
 * **Admit** (leader only, same epoch): once each living member's incarnation has
 * acknowledged it and no lease has expired within the last half of a lease (a
 * clean leave is no expiry), the phase becomes `admitted`.
 */
import type { Caller } from './tier-store.ts';

export interface RoleRecord {
  readonly epoch: number;
  readonly phase: 'withdrawing' | 'admitted';
  /** As written in the config. */
  readonly address: string;
  /** Tier time at which the phase began. */
  readonly sinceMs: number;
}

export interface RoleMove extends Caller {
  readonly pool: string;
  /** Of the record it follows; 0: there is none. */
  readonly expectedEpoch: number;
  /** null: the pool has no role any more. */
  readonly address: string | null;
}

export type RoleMoveAnswer = 'done' | 'not-leader' | 'changed';

export interface RoleAdmission extends Caller {
  readonly pool: string;
  readonly expectedEpoch: number;
}

export type RoleAdmissionAnswer =
  | { readonly kind: 'done' | 'not-leader' | 'changed' }
  /** These have not acknowledged, WAITED_FOR_MAX of them at most; empty: a lease ended a moment ago. */
  | { readonly kind: 'waits'; readonly members: readonly string[] };

export interface RoleAck {
  readonly pool: string;
  readonly epoch: number;
  readonly address: string;
}

/** Acknowledgements in one step. */
export const ROLE_ACKS_MAX = 100;
export const WAITED_FOR_MAX = 10;

const KEY_START = 'role ';

/** Of the table of verdicts. No check has it: an address has a colon before its first space. */
export function roleKey(pool: string): string {
  return KEY_START + pool;
}

/** null: the key of a check. */
export function poolOfRoleKey(key: string): string | null {
  return key.startsWith(KEY_START) ? key.slice(KEY_START.length) : null;
}

/** `PHASE EPOCH SINCE_MS ADDRESS`. */
export function roleText({ phase, epoch, sinceMs, address }: RoleRecord): string {
  return `${phase} ${epoch} ${sinceMs} ${address}`;
}

/** null: not of that form. */
export function parseRole(text: string): RoleRecord | null {
  const parts = /^(withdrawing|admitted) (\d{1,15}) (\d{1,15}) (.+)$/.exec(text);
  if (parts === null) return null;
  return { phase: parts[1] as RoleRecord['phase'], epoch: Number(parts[2]), sinceMs: Number(parts[3]), address: parts[4]! };
}
