/**
 * The contract of a store: where the members of a tier leave what they have
 * seen and read what the tier has made of it. A tier of one uses the same code
 * path over the store in its own memory.
 *
 * A member speaks to it in calls, one at a time, each carrying what it has to
 * say and naming what it has read; the answer brings what changed since. So a
 * quiet tier costs one small call, however large it is. Nothing on the data
 * path ever waits for a store; whoever calls it goes on without an answer.
 */
import type { BackendState } from '../../shared/snapshot.ts';

/** What a call may carry and an answer may bring, of each kind. */
export const REPORTS_MAX = 500;
export const CHANGES_MAX = 500;

/** What one member has concluded about a check; null: it no longer speaks about it. */
export interface VerdictReport {
  /** Identity of the check: address as written and health spec. */
  readonly check: string;
  readonly verdict: 'up' | 'down' | null;
  readonly reason: string;
  /** Wall time of the conclusion. */
  readonly atMs: number;
}

/** What the tier holds to be true of a check. */
export interface VerdictEntry {
  readonly check: string;
  readonly verdict: 'up' | 'down';
  readonly reason: string;
  /** Wall time at which the verdict became this one. */
  readonly atMs: number;
}

/** An operator's word about one backend. `ready` with weight null says nothing more than the file does. */
export interface OperatorEntry {
  readonly pool: string;
  readonly address: string;
  readonly state: BackendState;
  /** 0 to 1000; null: the file's. */
  readonly weight: number | null;
  readonly reason: string;
  /** Who said it: a member's id, and whatever it knows of the person. */
  readonly by: string;
  /** Wall time of the member that took it; of two entries for a backend the newer one stands, of equal ones the greater `by`. */
  readonly stampMs: number;
}

/** How far a member has read one store's tables; null: nothing yet. */
export interface ReadUpTo {
  /** The store's `run` that the epochs belong to. */
  readonly run: string;
  readonly verdicts: number;
  readonly operatorStates: number;
}

export interface StoreCall {
  readonly member: string;
  /** Counts up; a number not above the member's last does nothing and is answered like an empty call. */
  readonly number: number;
  /** At most REPORTS_MAX. */
  readonly reports: readonly VerdictReport[];
  /** At most REPORTS_MAX. */
  readonly operatorStates: readonly OperatorEntry[];
  readonly have: ReadUpTo | null;
}

/** Entries of one table that changed after the epoch the caller named. */
export interface TableChanges<T> {
  /** True: the caller forgets what it has first, since the store no longer knows what it missed. */
  readonly whole: boolean;
  /** In the order of the changes, at most CHANGES_MAX; null: the entry is gone. */
  readonly entries: readonly { readonly key: string; readonly value: T | null }[];
  /** Epoch of the last of them, or the table's: what to name in the next call. */
  readonly epoch: number;
  /** There are more: call again. */
  readonly more: boolean;
  /** Entries in the table, and the sum of their hashes: what a caller that has read everything must come to as well. */
  readonly count: number;
  readonly digest: number;
}

export interface StoreAnswer {
  /** An id made with the tables; another one means that they were lost or replaced. */
  readonly run: string;
  readonly verdicts: TableChanges<VerdictEntry>;
  readonly operatorStates: TableChanges<OperatorEntry>;
}

export interface Store {
  /** Rejects when the store gives anything but a good answer. */
  call(call: StoreCall): Promise<StoreAnswer>;
  /** Calls `onChange` when another call may bring something new; a hint that may be lost. Returns how to end it. */
  subscribe(onChange: () => void): () => void;
  close(): Promise<void>;
}

/** What an adapter's file exports. */
export interface StoreDefinition {
  /** The file is named after it. */
  readonly name: string;
  /** One sentence for the reference page. */
  readonly summary: string;
  /** Whether `tier.store` of this text is this adapter's. */
  accepts(url: string): boolean;
  /** Does not connect yet: a proxy starts without its store. */
  open(url: string): Store;
}

/** Identity of an operator entry: names of pools hold no space. */
export function operatorKey(pool: string, address: string): string {
  return `${pool} ${address}`;
}
