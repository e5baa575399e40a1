/**
 * One request while it is being routed: every answer of the RouteQuery is
 * asked for at most once, and only if some route needs it. One object serves a
 * table for ever (routing neither waits nor nests), so a request that needs
 * little allocates nothing. Fields that conditions name have a slot each;
 * cookies and query are parsed in one pass that keeps only those.
 */
import { parseAddress } from '../../net/address.ts';
import { readCookies, readQuery } from './field-text.ts';
import type { RouteQuery } from './route-query.ts';

const NO_VALUES: readonly string[] = [];

/** Slot numbers of the names that a table's conditions ask for. */
export class FieldSlots {
  readonly header = new Map<string, number>();
  readonly query = new Map<string, number>();
  readonly cookie = new Map<string, number>();

  of(kind: 'header' | 'query' | 'cookie', name: string): number {
    const slots = this[kind];
    let slot = slots.get(name);
    if (slot === undefined) slots.set(name, (slot = slots.size));
    return slot;
  }
}

export class RequestFields {
  readonly #slots: FieldSlots;
  #request: RouteQuery | null = null;
  #host: string | null = null;
  #path: string | null = null;
  #address: Uint8Array | null | undefined = undefined;
  readonly #headers: (readonly string[] | undefined)[] = [];
  readonly #headersFilled: number[] = [];
  #query: string[][] | null = null;
  #cookies: string[][] | null = null;

  constructor(slots: FieldSlots) {
    this.#slots = slots;
  }

  /** Starts with a request; whatever was left of another is forgotten. */
  open(request: RouteQuery): void {
    this.#request = request;
    this.#host = null;
    this.#path = null;
    this.#address = undefined;
    this.#query = null;
    this.#cookies = null;
    while (this.#headersFilled.length > 0) this.#headers[this.#headersFilled.pop()!] = undefined;
  }

  get method(): string {
    return this.#request!.method;
  }

  host(): string {
    return (this.#host ??= this.#request!.host());
  }

  /** The reading being routed: as sent, unless `readPathAs` said otherwise. */
  path(): string {
    return (this.#path ??= this.#request!.path());
  }

  /** False: nothing depended on the path so far. */
  get pathWasAsked(): boolean {
    return this.#path !== null;
  }

  readPathAs(reading: string): void {
    this.#path = reading;
  }

  /** Bytes of the client's address; null if it is none. */
  clientAddress(): Uint8Array | null {
    if (this.#address === undefined) this.#address = parseAddress(this.#request!.clientAddress());
    return this.#address;
  }

  protocols(): readonly string[] {
    return this.#request!.protocols?.() ?? NO_VALUES;
  }

  header(slot: number, name: string): readonly string[] {
    let values = this.#headers[slot];
    if (values === undefined) {
      values = this.#request!.header(name);
      this.#headers[slot] = values;
      this.#headersFilled.push(slot);
    }
    return values;
  }

  query(slot: number): readonly string[] {
    if (this.#query === null) {
      const slots = this.#slots.query;
      const values: string[][] = (this.#query = []);
      readQuery(
        this.#request!.query(),
        (name) => slots.has(name),
        (name, value) => keep(values, slots.get(name)!, value),
      );
    }
    return this.#query[slot] ?? NO_VALUES;
  }

  cookie(slot: number): readonly string[] {
    if (this.#cookies === null) {
      const slots = this.#slots.cookie;
      const values: string[][] = (this.#cookies = []);
      for (const field of this.#request!.header('cookie')) {
        readCookies(field, (name, value) => {
          const at = slots.get(name);
          if (at !== undefined) keep(values, at, value);
        });
      }
    }
    return this.#cookies[slot] ?? NO_VALUES;
  }
}

function keep(values: string[][], slot: number, value: string): void {
  (values[slot] ??= []).push(value);
}
