/**
 * Why a route does not take a request: the first of its keys that does not
 * hold, for `weir explain`. Written apart from the table's indexes, from the
 * same patterns and conditions; a test holds the two together.
 */
import type { FieldPattern, MatchSpec } from '../../shared/snapshot.ts';
import { compileConditions, type Condition } from './conditions.ts';
import { hostMatches } from './host-index.ts';
import { pathMatches } from './path-index.ts';
import { FieldSlots, RequestFields } from './request-fields.ts';
import type { RouteQuery } from './route-query.ts';
import { RegexCache } from './whole-regex.ts';

export interface Mismatch {
  readonly key: 'host' | 'sni' | 'path' | Condition['key'];
  /** Of the header, query parameter or cookie; '' for other keys. */
  readonly name: string;
  /** How many keys (and fields) held before this one: the more, the nearer the miss. */
  readonly held: number;
  /** What the request has there. */
  readonly seen: readonly string[];
  /** What the route wants there, one of these. */
  readonly wanted: readonly string[];
}

export class MismatchFinder {
  readonly #regexes = new RegexCache();

  /** null: the route takes the request, its path read as `reading`. */
  find(match: MatchSpec, request: RouteQuery, reading: string): Mismatch | null {
    let held = 0;
    for (const key of ['host', 'sni'] as const) {
      const patterns = match[key];
      if (patterns === null) continue;
      const host = request.host();
      if (!patterns.some((pattern) => hostMatches(pattern, host))) {
        const wanted = patterns.map(({ kind, value }) => (kind === 'suffix' ? `*.${value}` : value));
        return { key, name: '', held, seen: host === '' ? [] : [host], wanted };
      }
      held++;
    }
    if (match.path !== null) {
      if (!match.path.some((pattern) => pathMatches(pattern, reading, this.#regexes))) {
        const wanted = match.path.map(({ kind, value }) => (kind === 'prefix' ? value || '/' : `${kind} ${value}`));
        return { key: 'path', name: '', held, seen: [reading], wanted };
      }
      held++;
    }
    return this.#findCondition(match, request, held);
  }

  #findCondition(match: MatchSpec, request: RouteQuery, heldBefore: number): Mismatch | null {
    const slots = new FieldSlots();
    const conditions = compileConditions(match, slots, this.#regexes);
    const fields = new RequestFields(slots);
    fields.open(request);
    const index = conditions.findIndex((condition) => !condition.holds(fields));
    if (index === -1) return null;
    const condition = conditions[index]!;
    return { key: condition.key, name: condition.name, held: heldBefore + index, seen: condition.seen(fields), wanted: wantedBy(match, condition) };
  }
}

function wantedBy(match: MatchSpec, { key, name }: Condition): readonly string[] {
  if (key === 'alpn' || key === 'method' || key === 'source') return match[key]!;
  return fieldWanted(match[key]!.find((pattern) => pattern.name === name)!);
}

function fieldWanted(pattern: FieldPattern): readonly string[] {
  if (!pattern.present) return ['absent'];
  if (pattern.values === null) return ['present'];
  return pattern.values.map(({ kind, value }) => (kind === 'exact' ? JSON.stringify(value) : `regex ${value}`));
}
