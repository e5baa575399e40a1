/**
 * What the rest of the control plane sees of the tier: who is in it, who leads,
 * whether the store answers, and how to say something to it. TierLink
 * (tier-link.ts) implements it over a store; health and rollout ask for no more
 * than this. Main thread only. Nothing here waits for the store but what
 * returns a promise, and no request waits for any of it.
 */
import type { VerdictEntry } from '../store/entry-texts.ts';
import type { RoleRecord } from '../store/role-records.ts';
import type { Leader, MemberState, OperatorPut, TierStore, VerdictReport, ConfigState } from '../store/tier-store.ts';

/** What a member says of itself (the JSON of its entry); keys of a later release are kept and passed over. */
export interface MemberRecord {
  readonly zone: string;
  /** What DNS and people may reach it by. */
  readonly addresses: readonly string[];
  /** Wall time at which its process started. */
  readonly sinceMs: number;
  readonly software: string;
  readonly protocol: number;
  /** Why it is not ready, or ''. */
  readonly reason: string;
  /** Of the config it has committed; '': none. TierLink fills it in. */
  readonly history: string;
}

export interface Member {
  readonly id: string;
  readonly incarnation: string;
  readonly state: MemberState;
  /** Tier time at which it became ready; 0: it is not. */
  readonly readySinceMs: number;
  readonly record: MemberRecord;
}

/**
 * `joining`: no good answer yet, or the first tables are being read.
 * `connected`: the store answers and its word holds.
 * `settling`: it answers again after a break; for one lease the own view holds, but for what is new.
 * `autonomous`: no good answer for a lease, or this proxy may not join; it goes by itself and says why.
 */
export type LinkPhase = 'joining' | 'connected' | 'settling' | 'autonomous';

export interface LinkState {
  readonly phase: LinkPhase;
  /** Why; '' when connected. `rewound` and `rebuilt` name what a break was. */
  readonly reason: string;
}

export interface MembershipEvents {
  /** The tier's verdict on a check (or, autonomous, this proxy's own); null: the tier has none. */
  onVerdict(check: string, entry: VerdictEntry | null): void;
  /** The store's record of a role pool changed; null: it has none. In every phase: of two records the later epoch stands at any time. */
  onRole(pool: string, record: RoleRecord | null): void;
  /** The store's text of the keys of session tickets changed; null: it has none. In every phase. */
  onTickets(text: string | null): void;
  /** A call sent at `sentMs` (monotonic) was answered, and what has been read is what the store then had. */
  onRead(sentMs: number): void;
  /** Text as in OperatorPut; null: the entry is gone. */
  onOperatorState(key: string, text: string | null): void;
  /** Members, states, zones or the time of readiness changed, or somebody has now been ready for a lease: who is on duty may have changed. */
  onMembers(): void;
  /** Probe these at once if they are yours. */
  onSuspicions(checks: readonly string[]): void;
  /** Head or rollout changed; also once when the first tables are read (head null: the store has none). */
  onConfig(state: ConfigState): void;
  onState(state: LinkState): void;
}

export interface Membership {
  /** `--node`. */
  readonly id: string;
  readonly incarnation: string;
  readonly state: LinkState;
  /** For how long the store had answered without a break when its last answer came. */
  readonly steadyMs: number;
  /** Living members as last read, this one included once it joined. While autonomous: as last known. */
  readonly members: ReadonlyMap<string, Member>;
  readonly leader: Leader | null;
  /** The store's `run` as last read; null: not read yet. */
  readonly run: string | null;
  /** Config as last read; null: not read yet. */
  readonly config: ConfigState | null;
  /** This member leads, as far as it knows. */
  readonly leads: boolean;
  /** Living members in state ready; 1 at least. While autonomous: as last known. */
  readonly readyCount: number;
  /** Tier time now, carried on by this process's own clock since the last answer. */
  tierMs(): number;

  /** Stands until replaced; null withdraws it. Sent again by itself whenever the store lost it. */
  report(report: VerdictReport): void;
  suspect(check: string): void;
  putOperatorState(entry: OperatorPut): void;
  /** `failed` is reached through `stepOut`. */
  setState(state: 'joining' | 'ready' | 'draining'): void;
  setRecord(record: Partial<MemberRecord>): void;
  /** Asked at each heartbeat: what to leave beside the record; null: as before. */
  besideSource: (watched: readonly string[]) => string | null;
  /** A heartbeat now instead of at its time. */
  hurry(): void;
  /** For the steps that rollout and admin take by themselves. */
  readonly store: TierStore;
  /** The caller's part of such a step. */
  caller(): { readonly member: string; readonly incarnation: string };
  /** Joins anew under no history (`weir adopt`), or with the one now on disk. */
  rejoin(): void;
  /** Leaves the tier, if the store answers in time, and stops. */
  stop(): Promise<void>;
}
