/**
 * One role pool as this member holds it: which backend it serves, by what
 * record, and what it may tell the tier of that. Owned by the role keeper,
 * which says what was read and when; the rows that the workers read are written
 * here. Knows no time but what it is given.
 *
 * It goes by the latest record it knows of, or, cut off from the store and
 * without a fence, by its own probes (`follows` false). A later record ends the
 * latter at once; else it ends when it would not take a primary that works from
 * its clients.
 */
import type { RoleStatus } from '../../observe/metrics-source.ts';
import { tableTime } from '../../shared/backend-table.ts';
import type { PlacedBackend } from '../backend-rows.ts';
import type { LinkPhase } from '../membership/membership.ts';
import type { RoleAck, RoleRecord } from '../store/role-records.ts';
import { newestClaim, type RoleClaim } from './next-role-step.ts';

export interface RoleEyes {
  /** Wall time since which a row's verdict is what it is. */
  readonly claimedSinceMs: (rowNumber: number) => number;
  readonly monotonicMs: () => number;
}

export class HeldRole {
  readonly pool: string;
  /** The record of the latest epoch that this member knows of, whatever the store has lost. */
  known: RoleRecord | null = null;
  /** As the store was last read. */
  stored: RoleRecord | null = null;
  /** Address, also while its claim does not stand; null: none is served. */
  serving: string | null = null;
  /** Whom the leader, if it is this member, waits for. */
  waitsFor: readonly string[] = [];
  /** What the tier was told last, and when (monotonic). */
  told: { readonly epoch: number; readonly atMs: number } | null = null;
  #hasFence = false;
  #placed: readonly PlacedBackend[] = [];
  /** Left the config with connections open. */
  #leaving: readonly PlacedBackend[] = [];
  #follows = true;
  #fencedUntilMs = Number.NEGATIVE_INFINITY;
  readonly #eyes: RoleEyes;

  constructor(pool: string, eyes: RoleEyes) {
    this.pool = pool;
    this.#eyes = eyes;
  }

  get hasFence(): boolean {
    return this.#hasFence;
  }

  /** It goes by the tier's record, and not by its own probes. */
  get follows(): boolean {
    return this.#hasFence || this.#follows;
  }

  get claims(): RoleClaim[] {
    return this.#placed.map(({ backend: { address }, row, number }) => ({ address, stands: row.verdict === 'up', sinceMs: this.#eyes.claimedSinceMs(number) }));
  }

  /** Of a config that is about to run. */
  place(placed: readonly PlacedBackend[], hasFence: boolean): void {
    const kept = new Set(placed.map(({ number }) => number));
    this.#leaving = [...this.#leaving, ...this.#placed].filter(({ number, row }) => !kept.has(number) && row.connections > 0);
    for (const { row } of this.#leaving) row.withdrawn = true;
    this.#placed = placed;
    if (hasFence && !this.#hasFence) this.#follows = true;
    this.#hasFence = hasFence;
    this.write();
  }

  /** For people. */
  get status(): RoleStatus {
    const { known, serving, follows, waitsFor } = this;
    const isFenced = this.#hasFence && this.#fencedUntilMs <= this.#eyes.monotonicMs();
    return { primary: serving, epoch: known?.epoch ?? 0, phase: known?.phase ?? 'none', byTier: follows, isFenced, waitsFor };
  }

  /** The store's record, of which the later epoch stands. */
  accept(record: RoleRecord | null): void {
    this.stored = record;
    if (record === null || (this.known !== null && !isLater(record, this.known))) return;
    if (record.epoch !== this.known?.epoch) this.#follows = true;
    this.known = record;
  }

  /** The store has exactly what this member goes by. */
  get isConfirmed(): boolean {
    return this.known !== null && this.stored !== null && this.stored.epoch === this.known.epoch && this.stored.phase === this.known.phase && this.stored.address === this.known.address;
  }

  /** The store lacks the record this member knows of, or has another one in its place. */
  get isLost(): boolean {
    const { known, stored } = this;
    if (known === null) return false;
    return stored === null || stored.epoch < known.epoch || (stored.epoch === known.epoch && stored.address !== known.address);
  }

  /** Chooses and writes. True: another is served than before. */
  settle(phase: LinkPhase): boolean {
    if (phase === 'autonomous') this.#follows = false;
    else if (phase === 'connected' && !this.#follows) this.#follows = this.#mayFollow();
    const next = this.follows ? this.#ofRecord() : this.#ownChoice();
    if (next === this.serving) return false;
    this.serving = next;
    this.write();
    return true;
  }

  /** What is due to be told: that the withdrawal is done here, or that the store has lost the record. */
  get ack(): RoleAck | null {
    const { known, stored, pool } = this;
    if (known === null) return null;
    if (this.isLost) return { pool, epoch: known.epoch, address: known.address };
    const isAsked = stored!.phase === 'withdrawing' && stored!.epoch === known.epoch;
    return isAsked && this.#isClean(known.address) ? { pool, epoch: known.epoch, address: known.address } : null;
  }

  /** A withdrawal is asked for that is not done yet. */
  get isClearing(): boolean {
    return this.stored?.phase === 'withdrawing' && this.stored.epoch === this.known?.epoch && !this.#isClean(this.known.address);
  }

  /** The pool is served until then (monotonic) and no longer. */
  fenceAt(untilMs: number): void {
    this.#fencedUntilMs = Math.max(untilMs, this.#fencedUntilMs);
    this.writeFence();
  }

  /** Again and again: times in shared memory wrap, and one that has passed must not come round. */
  writeFence(): void {
    this.#poolRow?.fence(this.#hasFence ? tableTime(Math.max(this.#fencedUntilMs, this.#eyes.monotonicMs())) : null);
  }

  /** The pool has left the config, or has no role any more. */
  release(): void {
    for (const { row, poolRow } of this.#placed) {
      row.withdrawn = false;
      poolRow.fence(null);
      poolRow.bumpEpoch();
    }
  }

  write(): void {
    const poolRow = this.#poolRow;
    if (poolRow === null) return;
    for (const { backend, row } of this.#placed) row.withdrawn = backend.address !== this.serving;
    this.writeFence();
    poolRow.bumpEpoch();
  }

  get #poolRow(): PlacedBackend['poolRow'] | null {
    return this.#placed[0]?.poolRow ?? null;
  }

  #ofRecord(): string | null {
    if (this.known === null) return null;
    const { phase, address } = this.known;
    return phase === 'admitted' || this.serving === address ? address : null;
  }

  #ownChoice(): string | null {
    return this.#stands(this.serving) ? this.serving : (newestClaim(this.claims) ?? this.serving);
  }

  /** The tier's word must not take a primary that works, for one that is known not to. */
  #mayFollow(): boolean {
    if (this.known === null) return false;
    return this.#stands(this.known.address) || !this.#stands(this.serving);
  }

  #stands(address: string | null): boolean {
    return this.#placed.some(({ backend, row }) => backend.address === address && row.verdict === 'up');
  }

  /** No other backend than `address` is served here, and nothing is open to any. */
  #isClean(address: string): boolean {
    const isServedElse = this.serving !== null && this.serving !== address;
    return !isServedElse && this.#placed.every(({ backend, row }) => backend.address === address || row.connections === 0) && this.#leaving.every(({ row }) => row.connections === 0);
  }
}

function isLater(record: RoleRecord, than: RoleRecord): boolean {
  if (record.epoch !== than.epoch) return record.epoch > than.epoch;
  return record.address === than.address && record.phase === 'admitted' && than.phase === 'withdrawing';
}
