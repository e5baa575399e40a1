/**
 * All that the admin interface may ask of the rest of the process, and do to
 * it. The main thread implements it; the admin files import nothing else of
 * the control plane. Queries are cheap and synchronous, and safe to call for
 * each of 10,000 backends; commands are asked of the process, which alone
 * decides. Nothing here throws for what a caller got wrong: refusals are data.
 */
import type { Clock } from '../../base/clock.ts';
import type { EventLog, ProxyState } from '../../observe/event-log.ts';
import type { MetricsSource } from '../../observe/metrics-source.ts';
import type { BackendState } from '../../shared/snapshot.ts';
import type { RowCheck } from '../health/row-verdict.ts';
import type { Membership } from '../membership/membership.ts';
import type { MemberOrders } from '../member-orders.ts';
import type { TicketState } from '../tickets/ticket-keeper.ts';
import type { ConfigDesk } from '../rollout/config-desk.ts';

/** What the monitor and the operator know about a backend beyond its row in the table. */
export interface BackendNote {
  /** Wall time since which its verdict is what it is. */
  readonly sinceMs: number;
  /** Why: the last probe's result, the operator's reason, or ''. */
  readonly reason: string;
  /** The operator's own state and weight; null: the file's holds. */
  readonly operator: { readonly state: BackendState; readonly weight: number | null; readonly reason: string; readonly by: string; readonly atMs: number } | null;
}

/** Fields left out stay as they are; weight null goes back to the file's. */
export interface BackendStateChange {
  readonly state?: BackendState;
  readonly weight?: number | null;
  readonly reason?: string;
}

/** `conflict`: refused for a reason of the present state (409). `failed`: tried and did not succeed (500). */
export type CommandOutcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'conflict'; readonly text: string }
  | { readonly kind: 'failed'; readonly text: string };

/** A config's problems as they are reported (src/config/problems.ts), told here without importing config. */
export interface ReportedProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly expected?: string;
  readonly suggestion?: string;
}

export type ReloadOutcome =
  /** `version` is the running snapshot's number; unchanged if the file was. */
  | { readonly kind: 'done'; readonly version: number; readonly changed: boolean; readonly warnings: readonly ReportedProblem[] }
  | { readonly kind: 'refused'; readonly text: string; readonly problems: readonly ReportedProblem[] };

export interface ConfigVersion {
  readonly version: number;
  /** sha256 (hex) of the file's bytes, and after `${}` and `file:`. */
  readonly hash: string;
  readonly effectiveHash: string;
  readonly loadedAtMs: number;
}

export interface AdminContext extends MetricsSource {
  readonly clock: Clock;
  /** `--node`. */
  readonly node: string;
  /** Wall time at which the process started. */
  readonly startedAtMs: number;
  /** What this proxy gives out as its own addresses (`--advertise`, else the listeners'). */
  readonly addresses: readonly string[];
  readonly events: EventLog;

  state(): ProxyState;
  /** Why /readyz is 503, one short sentence each; empty: ready. */
  notReadyReasons(): readonly string[];
  /** Row numbers are those of `running().rows.backends`. */
  backendNote(row: number): BackendNote;
  /** What this proxy knows of its tier; null until the first config is prepared. */
  membership(): Membership | null;
  /** What operators said of whole members; null: there is no store. */
  memberOrders(): MemberOrders | null;
  /** Which keys the tickets of TLS sessions are sealed with. */
  ticketKeys(): TicketState;
  /** Checks behind a row that are probed. */
  checksOf(row: number): readonly RowCheck[];
  /** The tier's config: what has been published, and publishing; null: there is no store, the file rules. */
  configDesk(): ConfigDesk | null;
  /** Text of the running config, as read from the file. */
  configText(): string;
  /** Newest first, the running one included. */
  configVersions(): readonly ConfigVersion[];

  /**
   * Sets the operator's state of one backend. The caller has checked that it
   * exists in the running config and that the file does not hold it stricter.
   * Resolves when every worker can see it.
   */
  setBackendState(pool: string, address: string, change: BackendStateChange): Promise<CommandOutcome>;
  /** readyz turns 503, answers say `Connection: close`; accepting goes on until undrain. Done twice is done. */
  drain(reason: string): Promise<CommandOutcome>;
  undrain(reason: string): Promise<CommandOutcome>;
  /** Reads the file again, as on HUP. Resolves when all workers run it, or none. */
  reload(): Promise<ReloadOutcome>;
}
