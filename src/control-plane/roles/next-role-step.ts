/**
 * What the leader does next about a role pool, from the store's record of it and
 * from who claims to be the primary. Pure. The primary stays while its claim
 * stands, whoever else claims it too; then the newest claim takes over, and only
 * once nobody serves another any more. While nobody claims it nothing changes:
 * who comes back first is taken.
 */
import type { RoleRecord } from '../store/role-records.ts';

export interface RoleClaim {
  readonly address: string;
  /** The tier's verdict on it is up: enough of its probers saw a primary. */
  readonly stands: boolean;
  /** Wall time since which that verdict is what it is. */
  readonly sinceMs: number;
}

export type RoleStepWanted = { readonly kind: 'wait' } | { readonly kind: 'move'; readonly address: string } | { readonly kind: 'admit' };

export function nextRoleStep(record: RoleRecord | null, claims: readonly RoleClaim[]): RoleStepWanted {
  if (record !== null && claims.some(({ address, stands }) => stands && address === record.address)) {
    return record.phase === 'withdrawing' ? { kind: 'admit' } : { kind: 'wait' };
  }
  const newest = newestClaim(claims);
  return newest === null ? { kind: 'wait' } : { kind: 'move', address: newest };
}

/** Of claims of one age the first in the file; null: nobody claims it. */
export function newestClaim(claims: readonly RoleClaim[]): string | null {
  let newest: RoleClaim | null = null;
  for (const claim of claims) if (claim.stands && (newest === null || claim.sinceMs > newest.sinceMs)) newest = claim;
  return newest?.address ?? null;
}
