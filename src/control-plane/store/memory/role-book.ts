/**
 * The records of role pools in the memory store and who has acknowledged them
 * (rules: role-records.ts). Held by tier-state.ts, which has seen to it that the
 * caller is living (or leads). The records themselves lie in the table of
 * verdicts, which is given to each step.
 */
import { parseRole, roleKey, roleText, WAITED_FOR_MAX, type RoleAck, type RoleMove, type RoleRecord } from '../role-records.ts';
import type { Caller } from '../tier-store.ts';
import type { MemberBook } from './member-book.ts';
import type { TextTable } from './text-table.ts';

export interface RoleTimes {
  readonly tierMs: number;
  readonly wallMs: number;
}

interface StandingAck {
  readonly incarnation: string;
  readonly epoch: number;
}

export class RoleBook {
  /** By pool, then member. */
  #acks = new Map<string, Map<string, StandingAck>>();

  copy(): RoleBook {
    const copy = new RoleBook();
    copy.#acks = new Map([...this.#acks].map(([pool, acks]) => [pool, new Map(acks)]));
    return copy;
  }

  /** What does not parse is missing. */
  get(table: TextTable, pool: string): RoleRecord | null {
    return parseRole(table.get(roleKey(pool)) ?? '');
  }

  /** undefined: the record is not the one the caller thinks of. Else the one there is now; null: none. */
  move(table: TextTable, { pool, expectedEpoch, address }: RoleMove, times: RoleTimes): RoleRecord | null | undefined {
    const former = this.get(table, pool)?.epoch ?? 0;
    if (former !== expectedEpoch) return undefined;
    if (address !== null) return this.#withdraw(table, pool, address, former, times);
    this.#acks.delete(pool);
    table.remove(roleKey(pool));
    return null;
  }

  /** The record that is withdrawing since this acknowledgement knows of more than the store; null: there is no such need. */
  acknowledge(table: TextTable, { member, incarnation }: Caller, { pool, epoch, address }: RoleAck, times: RoleTimes): RoleRecord | null {
    const record = this.get(table, pool);
    const known = record?.epoch ?? 0;
    if (epoch < known) return null;
    if (epoch > known || record!.address !== address) return this.#withdraw(table, pool, address, epoch, times);
    const acks = this.#acks.get(pool) ?? new Map<string, StandingAck>();
    acks.set(member, { incarnation, epoch });
    this.#acks.set(pool, acks);
    return null;
  }

  /** Living members that have not acknowledged this epoch. */
  missing(pool: string, epoch: number, members: MemberBook): readonly string[] {
    const acks = this.#acks.get(pool);
    const missing: string[] = [];
    for (const { member, incarnation } of members.all()) {
      const ack = acks?.get(member);
      if (ack?.incarnation !== incarnation || ack.epoch !== epoch) missing.push(member);
    }
    return missing.sort().slice(0, WAITED_FOR_MAX);
  }

  admit(table: TextTable, pool: string, record: RoleRecord, { tierMs }: RoleTimes): RoleRecord {
    const admitted: RoleRecord = { ...record, phase: 'admitted', sinceMs: tierMs };
    table.set(roleKey(pool), roleText(admitted));
    return admitted;
  }

  #withdraw(table: TextTable, pool: string, address: string, after: number, { tierMs, wallMs }: RoleTimes): RoleRecord {
    this.#acks.delete(pool);
    const record: RoleRecord = { epoch: Math.max(after + 1, wallMs), phase: 'withdrawing', address, sinceMs: tierMs };
    table.set(roleKey(pool), roleText(record));
    return record;
  }
}
