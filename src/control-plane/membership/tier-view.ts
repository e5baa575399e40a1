/**
 * What this proxy goes by of what was read: members, verdicts and operator
 * states as handed on to the rest of the control plane. The tier link says when
 * the store's word is taken and when the own view holds against it. What does
 * not parse is missing, and said once.
 */
import type { Log } from '../../observe/log.ts';
import { parseVerdict } from '../store/entry-texts.ts';
import { parseRole, poolOfRoleKey } from '../store/role-records.ts';
import { TICKETS_KEY } from '../store/ticket-records.ts';
import type { OperatorPut } from '../store/tier-store.ts';
import type { MemberView } from './member-view.ts';
import type { MembershipEvents } from './membership.ts';
import { OperatorTexts } from './operator-texts.ts';
import type { TableCopy, TableEntry, TableNews } from './table-copy.ts';
import type { TableSync } from './table-sync.ts';

export interface TierViewOptions {
  readonly events: Pick<MembershipEvents, 'onVerdict' | 'onRole' | 'onTickets' | 'onOperatorState'>;
  readonly members: MemberView;
  readonly unreadable: Unreadable;
  /** The store has yet to hear, or hear again, an operator's word. */
  readonly put: (entry: OperatorPut) => void;
}

/** Entries that could not be read and have been said so. */
const SAID_MAX = 1000;

export class Unreadable {
  readonly #log: Pick<Log, 'warn'>;
  readonly #said = new Set<string>();

  constructor(log: Pick<Log, 'warn'>) {
    this.#log = log;
  }

  found(table: string, key: string): void {
    const name = `${table} ${key}`;
    if (this.#said.has(name) || this.#said.size >= SAID_MAX) return;
    this.#said.add(name);
    this.#log.warn('an entry of the store cannot be read and is passed over', { table, key });
  }
}

export class TierView {
  readonly #options: TierViewOptions;
  readonly #operatorTexts: OperatorTexts;

  constructor(options: TierViewOptions) {
    this.#options = options;
    this.#operatorTexts = new OperatorTexts((key) => options.unreadable.found('operator states', key));
  }

  /** The whole word of the store, just read to the end; where it has none the own view stays. */
  take(sync: TableSync): void {
    this.#options.members.replace(sync.members.entries());
    for (const [key, text] of sync.verdicts.entries()) this.#handVerdict(key, text);
  }

  changeMembers(entries: readonly TableEntry[]): void {
    this.#options.members.change(entries);
  }

  /** Of what was read of the table of verdicts, what is none: the records of role pools, the keys of session tickets. */
  changeRecords(entries: readonly TableEntry[]): void {
    const { events, unreadable } = this.#options;
    for (const { key, text } of entries) {
      if (key === TICKETS_KEY) events.onTickets(text);
      const pool = poolOfRoleKey(key);
      if (pool === null) continue;
      const record = text === null ? null : parseRole(text);
      if (text !== null && record === null) unreadable.found('roles', pool);
      events.onRole(pool, record);
    }
  }

  changeVerdicts(entries: readonly TableEntry[]): void {
    for (const { key, text } of entries) this.#handVerdict(key, text);
  }

  /** Of verdicts those that were given at `sinceWallMs` or later, by the clock of who saw it; returns of what. */
  changeNewVerdicts(entries: readonly TableEntry[], sinceWallMs: number): readonly string[] {
    const given: string[] = [];
    for (const { key, text } of entries) {
      const entry = text === null ? null : parseVerdict(key, text);
      if (entry === null || entry.atMs < sinceWallMs) continue;
      given.push(key);
      this.#options.events.onVerdict(key, entry);
    }
    return given;
  }

  /** An operator said so here; false: a newer word is known. */
  say(entry: OperatorPut): boolean {
    return this.#operatorTexts.put(entry);
  }

  /** Of an operator's two words the newer one stands at any time, so these are merged in every phase. */
  mergeOperatorStates({ entries, whole }: TableNews, table: TableCopy): void {
    const { news, missing } = this.#operatorTexts.merge(entries);
    for (const entry of whole ? this.#operatorTexts.missingFrom(table) : missing) this.#options.put(entry);
    for (const { key, text } of news) this.#options.events.onOperatorState(key, text);
  }

  #handVerdict(key: string, text: string | null): void {
    const { events, unreadable } = this.#options;
    if (poolOfRoleKey(key) !== null || key === TICKETS_KEY) return;
    const entry = text === null ? null : parseVerdict(key, text);
    if (text !== null && entry === null) return unreadable.found('verdicts', key);
    events.onVerdict(key, entry);
  }
}
