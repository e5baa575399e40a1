/**
 * The contract of a tier's store: what the members of a tier leave there, what
 * it makes of that, and what they read. Two adapters keep it: `memory` (a tier
 * of one, simulations) and `redis` (Lua scripts); one contract suite holds both
 * to this page. The store decides nothing on its own time: every method below
 * is one atomic step, taken because a member asked.
 *
 * Nothing on the data path waits for a store. A method rejects when the store
 * gives anything but a good answer (StoreAway); what is refused by the rules
 * below is data.
 *
 * **Tier time** (ms) judges leases, deadlines and phases. Every step first
 * advances it by what the store's own clock moved since the last step, never
 * back and at most by half a lease. After a larger step, or one back, no lease
 * expires for one lease (the store stood still, failed over, or its clock was
 * set). A store made anew starts at tier time 1.
 *
 * **Tables** (members, verdicts, operatorStates) map keys to texts. Each change
 * gives its entry the table's next epoch; a removal leaves the key with its
 * epoch behind (1,000 of them at most: older readers then read whole). A
 * table's digest is the sum modulo 2^32 of `entryHash(key, text)` over what is
 * in it. Epochs make reading cheap, digests make it true whatever was lost.
 *
 * **Run**: a random id made with the tables. Another run than the one a member
 * knows: all was lost or replaced.
 *
 * **Verdicts.** N is the number of living members in state ready, k = max(1,
 * min(probers, N)), q = floor(k / 2) + 1. Only a report can change a verdict:
 * a first report (there is no entry) decides; else one unlike the entry does if
 * at least q standing reports of living incarnations say the same as it. WHO is
 * those members, sorted. A withdrawal (null) changes no verdict. Reports of
 * incarnations that are no longer living do not count and are dropped when
 * their check is next reported on.
 *
 * **Leader.** A call of a ready member when the leader's incarnation is not
 * living (or there is none) makes the caller leader, with term + 1.
 *
 * **Roles**: which backend of a role pool is served, one record a pool, in the
 * table of verdicts; the rules are role-records.ts.
 *
 * **Log**: what changed, LOG_MAX entries, texts of JSON: `{kind, atMs, …}` with
 * kind `verdict` (check, from, to, who: [[member, verdict, reason]…]), `member`
 * (member, incarnation, change: joined ready draining failed left expired
 * superseded), `leader` (member, term), `operator` (key, by), `config` (number,
 * change: published stepped committed ended restored, by), `role` (pool, epoch,
 * phase: withdrawing admitted gone, address, by). `atMs`: the store's wall time.
 */
import { hash } from 'node:crypto';
import type { RoleAck, RoleAdmission, RoleAdmissionAnswer, RoleMove, RoleMoveAnswer } from './role-records.ts';
import type { TicketPut, TicketPutAnswer } from './ticket-records.ts';

/** The protocol of this release, and the oldest it still speaks. */
export const PROTOCOL = 1;
export const PROTOCOL_MIN = 1;

/** What one call may carry, of each kind. */
export const REPORTS_MAX = 500;
export const OPERATOR_ENTRIES_MAX = 500;
export const SUSPICIONS_MAX = 20;
export const LIMIT_KEYS_MAX = 500;
/** Whoever was heard within so many leases, and knew the tier before, will bring back what the store has lost. */
export const RETURNED_LEASES = 2;
/** Members that one call expires. */
export const EXPIRED_PER_CALL_MAX = 50;
/** What one answer brings: entries of all tables together, and their bytes (keys and texts; one entry at least). */
export const CHANGES_MAX = 500;
export const ANSWER_BYTES_MAX = 64 * 1024;
export const TOMBSTONES_MAX = 1000;
export const LOG_MAX = 10_000;
export const VERSIONS_MAX = 50;
export const VERSION_BYTES_MAX = 32 * 1024 * 1024;
/** Messages to subscribers are at least this far apart, and carry entries up to so many bytes. */
export const PUBLISH_EVERY_MS = 50;
export const PUBLISH_BYTES_MAX = 1024;
/** Joins are admitted this far apart, so that a thousand proxies started at once do not read all at once. */
export const JOIN_EVERY_MS = 10;

export type MemberState = 'joining' | 'ready' | 'draining' | 'failed';

/** uint32: the first four bytes of sha1(key + "\n" + text), UTF-8. Redis has sha1 built in. */
export function entryHash(key: string, text: string): number {
  // Five times as fast as a Hash object and its bytes.
  return Number.parseInt(hash('sha1', `${key}\n${text}`).slice(0, 8), 16);
}

/** Why the store gave no good answer: `reason` is short and for people (`refused`, `no answer in 1000 ms`, `OOM …`, `READONLY …`). */
export class StoreAway extends Error {
  override readonly name = 'StoreAway';
}

/** Who calls. A step of an incarnation that is not the living one of its id does nothing. */
export interface Caller {
  /** `--node`. */
  readonly member: string;
  /** A random id of one unbroken lease. Expired or superseded, it never revives. */
  readonly incarnation: string;
}

/** What one member has concluded about a check; null: it no longer speaks about it. */
export interface VerdictReport {
  /** Identity of the check: address as written and health spec (no newline). */
  readonly check: string;
  readonly verdict: 'up' | 'down' | null;
  /** At most 200 characters. */
  readonly reason: string;
  /** Wall time of the conclusion. */
  readonly atMs: number;
}

/** An operator's word, opaque but for what orders it: of two for a key the newer `stampMs` stands, of equal ones the greater `by`. */
export interface OperatorPut {
  readonly key: string;
  readonly stampMs: number;
  readonly by: string;
  /** As the table holds it: `STAMP_MS BY JSON` (`by` without spaces). */
  readonly text: string;
}

/** How far a member has read; epochs of the tables and of the config, all of one run. 0: nothing. */
export interface ReadUpTo {
  readonly run: string;
  readonly members: number;
  readonly verdicts: number;
  readonly operatorStates: number;
  readonly config: number;
}

/**
 * The heartbeat, and everything else a member says by the way: one call in
 * flight per member. It renews the caller's lease, expires the dead
 * (EXPIRED_PER_CALL_MAX), takes what is said, answers what changed.
 */
export interface StoreCall extends Caller {
  /** Counts up within the incarnation; a number not above the last changes nothing and renews nothing (a resent call), and is answered like an empty one. */
  readonly number: number;
  /** The tier's lease and `probers`, from the running config. */
  readonly leaseMs: number;
  readonly probers: number;
  /** `failed` is not asked for here but by `stepOut`; a failed member's other states are taken. */
  readonly state: Exclude<MemberState, 'failed'> | null;
  /** The record, if it has changed. One line. */
  readonly record: string | null;
  /** What stands beside the record without an epoch: usage, software, config, totals. null: as before. */
  readonly beside: string | null;
  readonly reports: readonly VerdictReport[];
  /**
   * Sum modulo 2^32 of entryHash(check, verdict) over all standing reports of the caller, these included.
   * null: not to be compared (more reports follow in the next call).
   */
  readonly reportsDigest: number | null;
  /** Checks whose backend has just refused this member. */
  readonly suspicions: readonly string[];
  /** A check's suspicion counts once in so many ms (its interval is not known here). */
  readonly suspicionEveryMs: number;
  readonly operatorStates: readonly OperatorPut[];
  readonly have: ReadUpTo | null;
}

/** Entries of one table that changed after the epoch the caller named. */
export interface TableChanges {
  /** True: the caller forgets what it has of this table first; pages of one reading follow each other with `whole` only in the first. */
  readonly whole: boolean;
  /** In the order of their epochs; null: the entry is gone. */
  readonly entries: readonly { readonly key: string; readonly text: string | null }[];
  /** Epoch of the last of them, or the table's: what to name in the next call. Below 0 while the pages of a whole reading go on: an opaque place in it. */
  readonly epoch: number;
  /** There are more: call again. */
  readonly more: boolean;
  /** Entries in the table and their digest: what a caller that has read everything must come to as well. */
  readonly count: number;
  readonly digest: number;
}

export interface Leader {
  readonly member: string;
  readonly incarnation: string;
  /** Counts up with each leader; may go backwards when the store lost writes: the store is the fence, not this. */
  readonly term: number;
}

/** What the store holds of the config, without bytes. The texts are JSON of control-plane/rollout, opaque here. */
export interface ConfigState {
  readonly epoch: number;
  readonly head: ConfigHead | null;
  readonly rollout: RolloutEntry | null;
}

export interface ConfigHead {
  readonly history: string;
  readonly number: number;
  readonly sha: string;
  readonly text: string;
}

export interface RolloutEntry {
  /** Number of the version that is being rolled out. */
  readonly number: number;
  /** Counts up with each step: what a step names to be sure of what it changes. */
  readonly step: number;
  /** Tier time at which it began. */
  readonly startedMs: number;
  readonly text: string;
}

export interface StoreAnswer {
  readonly run: string;
  readonly tierMs: number;
  /** False: the caller's incarnation is not living; nothing was done, the tables are empty: join. */
  readonly living: boolean;
  /** The caller's state as the store has it. */
  readonly state: MemberState;
  readonly leader: Leader | null;
  readonly protocol: number;
  /** The store's standing reports of the caller are not what `reportsDigest` says: send all again. */
  readonly reportsDiffer: boolean;
  /** Something waits to be published (PUBLISH_EVERY_MS since the last message): call again after so long. null: nothing. */
  readonly publishInMs: number | null;
  readonly members: TableChanges;
  readonly verdicts: TableChanges;
  readonly operatorStates: TableChanges;
  /** null: as `have.config` says. */
  readonly config: ConfigState | null;
  /** Pools whose per-backend totals somebody watches now. */
  readonly watched: readonly string[];
}

/**
 * A message to all subscribers; it may be lost. A reader whose verdict epoch is
 * at least `verdictsFrom` may take `verdicts` as the changes up to `verdictsTo`;
 * null: too much for a message, call. For the other epochs the reader calls if
 * they are ahead of its own, after a random part of 1 ms × N.
 */
export interface StoreHint {
  readonly run: string;
  readonly verdictsFrom: number;
  readonly verdictsTo: number;
  readonly verdicts: readonly { readonly key: string; readonly text: string | null }[] | null;
  readonly operatorStates: number;
  readonly config: number;
  /** Checks to be probed at once by those on duty; null: there were too many for a message. */
  readonly suspicions: readonly string[] | null;
}

export interface JoinCall extends Caller {
  /** The incarnation this proxy's disk names (a restart, or its own that expired); null: none. */
  readonly previous: string | null;
  readonly leaseMs: number;
  readonly record: string;
  readonly protocol: number;
  readonly protocolMin: number;
  /** History of the config it has committed; null: none. */
  readonly history: string | null;
}

export type JoinAnswer =
  /** Its state is `joining`, its call numbers start anew, it has no reports. */
  | { readonly kind: 'joined'; readonly tierMs: number; readonly run: string }
  /** Another joined just now: ask again after so long. */
  | { readonly kind: 'wait'; readonly waitMs: number }
  /** The id lives under an incarnation other than `previous`. */
  | { readonly kind: 'taken' }
  /** The tier's config has another history. */
  | { readonly kind: 'history'; readonly history: string }
  /** The tier speaks a protocol this release does not. */
  | { readonly kind: 'protocol'; readonly protocol: number };

export interface PublishCall extends Caller {
  /** Of a tier without a head: the caller's own, new or from its disk. */
  readonly history: string;
  /** sha of the head that this follows; null: there is none. */
  readonly parentSha: string | null;
  readonly number: number;
  readonly sha: string;
  /** Text of the version (who, when, parent, HMAC), kept beside its bytes. */
  readonly version: string;
  /** First text of its rollout. */
  readonly rollout: string;
  readonly bytes: Uint8Array;
}

export type PublishAnswer =
  | { readonly kind: 'started'; readonly number: number }
  /** The head has these very bytes. */
  | { readonly kind: 'same'; readonly number: number }
  /** The head is not `parentSha`. */
  | { readonly kind: 'stale'; readonly head: ConfigHead | null }
  /** A rollout is under way. */
  | { readonly kind: 'busy'; readonly number: number }
  /** Numbers up to this have been used: choose a greater one. */
  | { readonly kind: 'number'; readonly used: number }
  | { readonly kind: 'not-living' };

/** The leader's step in a rollout: nothing happens unless the caller leads and `rollout.step` is `expectedStep`. */
export interface RolloutStep extends Caller {
  readonly number: number;
  readonly expectedStep: number;
  /** The rollout's next text; null: it ends. */
  readonly rollout: string | null;
  /** The new head, of this number, history and sha as published; null: the head stays. */
  readonly headText: string | null;
}

export type StepAnswer = 'done' | 'not-leader' | 'changed';

export interface Vote extends Caller {
  readonly number: number;
  /** Replaces the caller's former vote on this number. */
  readonly text: string;
}

/** Puts a committed config back that the store has lost. */
export interface RestoreCall extends Caller {
  readonly history: string;
  readonly number: number;
  readonly sha: string;
  readonly headText: string;
  readonly version: string;
  readonly bytes: Uint8Array;
  /** It begins a history: no tier has committed it before. */
  readonly isFirst: boolean;
}

/**
 * `kept`: the store has a head of another history, or one whose number is not below; or the call would begin a history
 * though one that knows the tier from before the store was emptied has been heard within two leases (RETURNED_LEASES): in
 * a call that names another run or comes after its lease has ended, or a join that brings a history. What that one has is better. A rollout of a lower or equal number ends.
 */
export type RestoreAnswer = 'restored' | 'kept' | 'not-living';

export interface StoredVersion {
  readonly number: number;
  readonly sha: string;
  readonly text: string;
}

export interface LogEntry {
  /** Counts up within a run. */
  readonly id: number;
  readonly text: string;
}

/** What a member asks of a shared limit: `tokens` of a bucket that fills at `perSecond` up to `burst`. */
export interface LimitAsk {
  readonly key: string;
  readonly tokens: number;
  readonly perSecond: number;
  readonly burst: number;
}

export interface TierStore {
  call(call: StoreCall): Promise<StoreAnswer>;
  join(call: JoinCall): Promise<JoinAnswer>;
  /** A clean end: as if the lease had expired now. */
  leave(caller: Caller): Promise<void>;
  /** The caller cannot run the head: its state becomes `failed` if at least half of the members that are ready or failed, itself among them, (rounded up) are ready without it. */
  stepOut(caller: Caller): Promise<boolean>;

  publish(call: PublishCall): Promise<PublishAnswer>;
  step(step: RolloutStep): Promise<StepAnswer>;
  /** Votes are forgotten when the next rollout starts. */
  vote(vote: Vote): Promise<void>;
  /** Of living incarnations, by member; those of `number` alone. */
  votes(number: number): Promise<ReadonlyMap<string, string>>;
  restore(call: RestoreCall): Promise<RestoreAnswer>;
  /** Newest first; VERSIONS_MAX and VERSION_BYTES_MAX at most are kept (the head's always). */
  versions(): Promise<readonly StoredVersion[]>;
  version(number: number): Promise<(StoredVersion & { readonly bytes: Uint8Array }) | null>;
  /** Leader only, and only while the table of members is at `membersEpoch`: whoever came since may not speak it. Lifts the tier's protocol. */
  raiseProtocol(caller: Caller, protocol: number, membersEpoch: number): Promise<boolean>;
  /** Leader only; verdicts and reports of checks that no config asks for any more. At most 500. */
  forget(caller: Caller, checks: readonly string[]): Promise<boolean>;

  /** These three: role-records.ts. */
  moveRole(move: RoleMove): Promise<RoleMoveAnswer>;
  admitRole(admission: RoleAdmission): Promise<RoleAdmissionAnswer>;
  /** At most ROLE_ACKS_MAX. Of a caller that is not living: nothing. */
  acknowledgeRoles(caller: Caller, acks: readonly RoleAck[]): Promise<void>;
  /** Leader only: ticket-records.ts. */
  putTickets(put: TicketPut): Promise<TicketPutAnswer>;

  /** Of living members, by id. `ids` at most 500. */
  beside(ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Standing reports of living incarnations, by check then member: `VERDICT AT_MS REASON`. `checks` at most 500. */
  reports(checks: readonly string[]): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>>;
  /** Entries with an id above `after`, oldest first, at most `limit` (1,000). */
  log(after: number, limit: number): Promise<readonly LogEntry[]>;
  /** Somebody looks at this pool for the next `forMs`. At most 20 pools. */
  watch(pool: string, forMs: number): Promise<void>;

  /** Tokens granted, in the order asked: whole numbers from 0. LIMIT_KEYS_MAX asks at most. A bucket not seen for long is full. */
  takeTokens(caller: Caller, asks: readonly LimitAsk[]): Promise<readonly number[]>;

  /** Calls `onHint` for each message; returns how to end it. */
  subscribe(onHint: (hint: StoreHint) => void): () => void;
  close(): Promise<void>;
}
