/**
 * What a member that the store answers does about the committed config it has
 * and the one the store names. Pure. Numbers are compared within one history
 * only; whether two versions are the same is told by their sha.
 */
import type { ConfigHead } from '../store/tier-store.ts';

/** Where the config that a member stands on comes from: the store's word in this life, its disk, or its file. */
export type ConfigSource = 'store' | 'disk' | 'file';

export interface StandingVersion {
  /** null: it belongs to no tier's line of versions yet (a file), or no longer (adopting). */
  readonly history: string | null;
  readonly number: number;
  readonly sha: string;
  readonly source: ConfigSource;
}

export type HeadAction =
  /** The head is to be run; `fork`: the store has other bytes under the number this member had committed. */
  | { readonly kind: 'take'; readonly fork: boolean }
  /** The store has lost it, or never had it. */
  | { readonly kind: 'restore' }
  | { readonly kind: 'wait'; readonly forMs: number }
  /** Another tier's line: adopted by an operator only. */
  | { readonly kind: 'foreign' };

/**
 * `emptyForMs`: how long this member has seen the store without a head. Who
 * runs what the tier committed restores it at once; a disk may be older than
 * that of another, and a file may be anything: they wait, so that they never
 * win over a member that knows better.
 */
export function headAction(own: StandingVersion, head: Pick<ConfigHead, 'history' | 'number' | 'sha'> | null, emptyForMs: number, leaseMs: number): HeadAction {
  if (head === null) {
    const waitMs = { store: 0, disk: leaseMs, file: 2 * leaseMs }[own.source];
    return emptyForMs >= waitMs ? { kind: 'restore' } : { kind: 'wait', forMs: waitMs - emptyForMs };
  }
  if (own.history === null) return { kind: 'take', fork: false };
  if (head.history !== own.history) return { kind: 'foreign' };
  if (head.number < own.number) return { kind: 'restore' };
  return { kind: 'take', fork: head.number === own.number && head.sha !== own.sha };
}
