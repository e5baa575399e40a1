/**
 * The routes of one host (or of all), found by path: whole paths in a map,
 * prefixes in a tree of segments, regexes in a list. What a question costs
 * grows with the depth of the matching prefixes and with the number of regexes
 * and of routes that differ in other conditions only, not with the number of
 * routes. Lists are in the order of the file, so the first that holds wins.
 */
import type { PathPattern } from '../../shared/snapshot.ts';
import type { Condition } from './conditions.ts';
import type { RequestFields } from './request-fields.ts';
import type { RegexCache, WholeRegex } from './whole-regex.ts';

const SLASH = 0x2f;

/** Greater than any index: no route so far. */
export const NONE = 0x3fffffff;

/** A route as the index sees it. */
export interface IndexedRoute {
  readonly index: number;
  /** null: host and path decide alone. */
  readonly conditions: readonly Condition[] | null;
}

/**
 * A segment of the tree of prefixes. The first child is held by the node
 * itself: most have no second, and 20,000 maps of one entry are a third of the
 * memory of 10,000 hosts with a path each.
 */
class PrefixNode {
  routes: IndexedRoute[] | null = null;
  #firstSegment = '';
  #first: PrefixNode | null = null;
  #others: Map<string, PrefixNode> | null = null;

  get isLeaf(): boolean {
    return this.#first === null;
  }

  child(segment: string): PrefixNode | undefined {
    if (segment === this.#firstSegment && this.#first !== null) return this.#first;
    return this.#others?.get(segment);
  }

  addChild(segment: string): PrefixNode {
    const child = new PrefixNode();
    if (this.#first === null) {
      this.#firstSegment = segment;
      this.#first = child;
    } else {
      (this.#others ??= new Map<string, PrefixNode>()).set(segment, child);
    }
    return child;
  }
}

export class PathIndex {
  /** Lowest index of all routes in here: who has a lower one already need not ask. */
  lowest = NONE;
  #lowestWithPath = NONE;
  #anyPath: IndexedRoute[] | null = null;
  #exact: Map<string, IndexedRoute[]> | null = null;
  /** No longer path can be in the map: it need not be hashed. */
  #exactLengthMax = 0;
  #prefixes: PrefixNode | null = null;
  #regexes: { readonly route: IndexedRoute; readonly regex: WholeRegex }[] | null = null;

  /** Routes are added in order of their index. `pattern` null: any path, also none (`*`). */
  add(route: IndexedRoute, pattern: PathPattern | null, regexes: RegexCache): void {
    if (this.lowest === NONE) this.lowest = route.index;
    if (pattern === null) {
      if (this.#anyPath === null) this.#anyPath = [route];
      else this.#anyPath.push(route);
      return;
    }
    if (this.#lowestWithPath === NONE) this.#lowestWithPath = route.index;
    if (pattern.kind === 'regex') {
      (this.#regexes ??= []).push({ route, regex: regexes.get(pattern.value) });
    } else if (pattern.kind === 'exact') {
      this.#exact ??= new Map();
      append(this.#exact, pattern.value, route);
      this.#exactLengthMax = Math.max(this.#exactLengthMax, pattern.value.length);
    } else {
      this.#addPrefix(route, pattern.value);
    }
  }

  /** The lowest index below `best` whose path and conditions hold; `best` if there is none. */
  find(request: RequestFields, best: number): number {
    let found = best;
    if (this.#anyPath !== null) found = firstHolding(this.#anyPath, request, found);
    if (this.#lowestWithPath >= found) return found;
    const path = request.path();
    if (path.charCodeAt(0) !== SLASH) return found;
    if (this.#exact !== null && path.length <= this.#exactLengthMax) {
      const routes = this.#exact.get(path);
      if (routes !== undefined) found = firstHolding(routes, request, found);
    }
    if (this.#prefixes !== null) found = findPrefix(this.#prefixes, path, request, found);
    if (this.#regexes !== null) {
      for (const { route, regex } of this.#regexes) {
        if (route.index >= found) break;
        if (regex.matches(path) && allHold(route.conditions, request)) return route.index;
      }
    }
    return found;
  }

  #addPrefix(route: IndexedRoute, prefix: string): void {
    let node = (this.#prefixes ??= new PrefixNode());
    for (let start = 1; start <= prefix.length; ) {
      const slash = prefix.indexOf('/', start);
      const end = slash === -1 ? prefix.length : slash;
      const segment = prefix.slice(start, end);
      node = node.child(segment) ?? node.addChild(segment);
      start = end + 1;
    }
    // A list that begins by a push has room for 17; nearly all of them stay at one.
    if (node.routes === null) node.routes = [route];
    else node.routes.push(route);
  }
}

/** Walks the path's segments as deep as the tree has them. */
function findPrefix(root: PrefixNode, path: string, request: RequestFields, best: number): number {
  let found = root.routes === null ? best : firstHolding(root.routes, request, best);
  let node = root;
  let start = 1;
  while (!node.isLeaf && start <= path.length) {
    let end = path.indexOf('/', start);
    if (end === -1) end = path.length;
    const child = node.child(path.slice(start, end));
    if (child === undefined) break;
    if (child.routes !== null) found = firstHolding(child.routes, request, found);
    node = child;
    start = end + 1;
  }
  return found;
}

function firstHolding(routes: readonly IndexedRoute[], request: RequestFields, best: number): number {
  for (const route of routes) {
    if (route.index >= best) return best;
    if (allHold(route.conditions, request)) return route.index;
  }
  return best;
}

function allHold(conditions: readonly Condition[] | null, request: RequestFields): boolean {
  if (conditions === null) return true;
  for (const condition of conditions) if (!condition.holds(request)) return false;
  return true;
}

/** One pattern by itself: what the index must agree with. */
export function pathMatches(pattern: PathPattern, path: string, regexes: RegexCache): boolean {
  if (path.charCodeAt(0) !== SLASH) return false;
  if (pattern.kind === 'regex') return regexes.get(pattern.value).matches(path);
  if (path === pattern.value) return true;
  return pattern.kind === 'prefix' && path.startsWith(pattern.value) && path.charCodeAt(pattern.value.length) === SLASH;
}

function append(map: Map<string, IndexedRoute[]>, key: string, route: IndexedRoute): void {
  const routes = map.get(key);
  if (routes === undefined) map.set(key, [route]);
  else routes.push(route);
}
