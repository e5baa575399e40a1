/**
 * The living members of a tier in the memory store, their leases and their
 * table. Held by tier-state.ts, which says when a lease has ended. Counts are
 * kept as they change, so that no step walks over the members.
 */
import { memberText } from '../entry-texts.ts';
import type { Caller, MemberState } from '../tier-store.ts';
import { LeaseHeap, type Lease } from './lease-heap.ts';
import { TextTable } from './text-table.ts';

/** Ended incarnations that are remembered, so that a late second copy of their join does not revive them. */
const ENDED_MAX = 1000;

export interface LivingMember extends Lease {
  state: MemberState;
  readySinceMs: number;
  record: string;
  beside: string | null;
  lastNumber: number;
  /** Over its standing reports. */
  reportsDigest: number;
}

export class MemberBook {
  #living = new Map<string, LivingMember>();
  #leases = new LeaseHeap();
  #ended = new Set<string>();
  #ready = 0;
  #failed = 0;
  table = new TextTable();

  copy(): MemberBook {
    const copy = new MemberBook();
    copy.#living = new Map([...this.#living].map(([id, member]) => [id, { ...member }]));
    copy.#leases = this.#leases.copy();
    copy.#ended = new Set(this.#ended);
    copy.#ready = this.#ready;
    copy.#failed = this.#failed;
    copy.table = this.table.copy();
    return copy;
  }

  get readyCount(): number {
    return this.#ready;
  }

  get failedCount(): number {
    return this.#failed;
  }

  get(id: string): LivingMember | null {
    return this.#living.get(id) ?? null;
  }

  all(): Iterable<LivingMember> {
    return this.#living.values();
  }

  /** The member of that very incarnation; null: it is not living. */
  living({ member, incarnation }: Caller): LivingMember | null {
    const held = this.#living.get(member);
    return held?.incarnation === incarnation ? held : null;
  }

  hasEnded(incarnation: string): boolean {
    return this.#ended.has(incarnation);
  }

  add({ member, incarnation }: Caller, record: string, deadlineMs: number): void {
    const held: LivingMember = { member, incarnation, deadlineMs, queuedMs: deadlineMs, state: 'joining', readySinceMs: 0, record, beside: null, lastNumber: Number.NEGATIVE_INFINITY, reportsDigest: 0 };
    this.#living.set(member, held);
    this.#leases.add(held);
    this.#write(held);
  }

  renew(held: LivingMember, deadlineMs: number): void {
    this.#leases.renew(held, deadlineMs);
  }

  setState(held: LivingMember, state: MemberState, nowMs: number): void {
    this.#count(held.state, -1);
    this.#count(state, 1);
    held.state = state;
    held.readySinceMs = state === 'ready' ? nowMs : 0;
    this.#write(held);
  }

  setRecord(held: LivingMember, record: string): void {
    held.record = record;
    this.#write(held);
  }

  /** The next member, in the order of their deadlines, whose lease ended at `nowMs` or before. The caller removes it. */
  nextLapsed(nowMs: number): LivingMember | null {
    return this.#leases.takeLapsed(nowMs, (place) => this.living(place));
  }

  remove(held: LivingMember): void {
    this.end(held);
    this.table.remove(held.member);
  }

  /** As `remove`, but another incarnation takes its entry. */
  end(held: LivingMember): void {
    this.#living.delete(held.member);
    this.#count(held.state, -1);
    this.#ended.add(held.incarnation);
    if (this.#ended.size > ENDED_MAX) this.#ended.delete(this.#ended.values().next().value!);
  }

  #count(state: MemberState, change: number): void {
    if (state === 'ready') this.#ready += change;
    else if (state === 'failed') this.#failed += change;
  }

  #write(held: LivingMember): void {
    this.table.set(held.member, memberText(held));
  }
}
