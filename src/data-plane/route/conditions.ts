/**
 * What a route asks beyond host and path: conditions, all of which must hold.
 * They are asked only of routes whose host and path fit already.
 */
import { AddressSet, formatAddress } from '../../net/address.ts';
import type { FieldPattern, MatchSpec } from '../../shared/snapshot.ts';
import { utf8Text } from './field-text.ts';
import type { FieldSlots, RequestFields } from './request-fields.ts';
import type { RegexCache, WholeRegex } from './whole-regex.ts';

export interface Condition {
  /** The key of `match` it comes from. */
  readonly key: 'alpn' | 'method' | 'header' | 'query' | 'cookie' | 'source';
  /** Name of the header, query parameter or cookie; '' for the others. */
  readonly name: string;
  holds(request: RequestFields): boolean;
  /** What the request has there, as text: to explain why it does not hold. */
  seen(request: RequestFields): readonly string[];
}

const FIELD_KINDS = ['header', 'query', 'cookie'] as const;

/** In order of cost. Empty: host and path decide alone. */
export function compileConditions(match: MatchSpec, slots: FieldSlots, regexes: RegexCache): readonly Condition[] {
  const conditions: Condition[] = [];
  if (match.alpn !== null) conditions.push(new AlpnCondition(match.alpn));
  if (match.method !== null) conditions.push(new MethodCondition(match.method));
  for (const key of FIELD_KINDS) {
    const patterns = match[key];
    if (patterns === null) continue;
    for (const pattern of patterns) conditions.push(new FieldCondition(key, pattern, slots, regexes));
  }
  if (match.source !== null) conditions.push(new SourceCondition(match.source));
  return conditions;
}

/** Holds if the client offers one of them, among whatever else. */
class AlpnCondition implements Condition {
  readonly key = 'alpn';
  readonly name = '';
  readonly #protocols: readonly string[];

  constructor(protocols: readonly string[]) {
    this.#protocols = protocols;
  }

  holds(request: RequestFields): boolean {
    for (const protocol of request.protocols()) if (this.#protocols.includes(protocol)) return true;
    return false;
  }

  seen(request: RequestFields): readonly string[] {
    return request.protocols();
  }
}

class MethodCondition implements Condition {
  readonly key = 'method';
  readonly name = '';
  readonly #methods: readonly string[];

  constructor(methods: readonly string[]) {
    this.#methods = methods;
  }

  holds(request: RequestFields): boolean {
    return this.#methods.includes(request.method);
  }

  seen(request: RequestFields): readonly string[] {
    return [request.method];
  }
}

class SourceCondition implements Condition {
  readonly key = 'source';
  readonly name = '';
  readonly #addresses: AddressSet;

  constructor(cidrs: readonly string[]) {
    this.#addresses = new AddressSet(cidrs);
  }

  holds(request: RequestFields): boolean {
    const address = request.clientAddress();
    return address !== null && this.#addresses.hasBytes(address);
  }

  seen(request: RequestFields): readonly string[] {
    const address = request.clientAddress();
    return address === null ? [] : [formatAddress(address)];
  }
}

/**
 * A header, query parameter or cookie. Repeated fields are several values; a
 * header's commas are not taken apart. Values are compared as UTF-8 text.
 */
class FieldCondition implements Condition {
  readonly key: 'header' | 'query' | 'cookie';
  readonly name: string;
  readonly #slot: number;
  readonly #present: boolean;
  /** null: presence alone counts. */
  readonly #exact: readonly string[] | null;
  readonly #regexes: readonly WholeRegex[];

  constructor(key: 'header' | 'query' | 'cookie', pattern: FieldPattern, slots: FieldSlots, regexes: RegexCache) {
    this.key = key;
    this.name = pattern.name;
    this.#slot = slots.of(key, pattern.name);
    this.#present = pattern.present;
    const { values } = pattern;
    this.#exact = values === null ? null : values.filter((value) => value.kind === 'exact').map((value) => value.value);
    this.#regexes = (values ?? []).filter((value) => value.kind === 'regex').map((value) => regexes.get(value.value));
  }

  holds(request: RequestFields): boolean {
    const values = this.#valuesOf(request);
    if (!this.#present) return values.length === 0;
    if (this.#exact === null) return values.length > 0;
    for (const value of values) {
      const text = this.key === 'query' ? value : utf8Text(value);
      if (this.#exact.includes(text)) return true;
      for (const regex of this.#regexes) if (regex.matches(text)) return true;
    }
    return false;
  }

  seen(request: RequestFields): readonly string[] {
    return this.key === 'query' ? this.#valuesOf(request) : this.#valuesOf(request).map(utf8Text);
  }

  #valuesOf(request: RequestFields): readonly string[] {
    if (this.key === 'header') return request.header(this.#slot, this.name);
    return this.key === 'query' ? request.query(this.#slot) : request.cookie(this.#slot);
  }
}
