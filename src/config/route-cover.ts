/**
 * Which routes can never be reached, because earlier ones of their listener
 * take every request that they would; on tcp the sni stands for the host. It sees the plain cases (same match, or
 * a wider host and path) in one pass over the routes, and stays silent about
 * the rest: a warning must be right.
 */
import type { HostPattern, MatchSpec, PathPattern } from '../shared/snapshot.ts';

/** Combinations of host and path of one route that are still looked at. */
const COMBINATIONS_MAX = 64;

type Match = { readonly [Key in keyof MatchSpec]?: MatchSpec[Key] | undefined };

export class RouteCover {
  /** By host, then path: the first route that takes all of that and asks for nothing else. */
  readonly #taken = new Map<string, Map<string, number>>();
  /** Whole matches of the other routes, as text. */
  readonly #matches = new Map<string, number>();

  /** Adds the route and gives the index of an earlier one that takes all of its requests (the first of several), or -1. */
  add(index: number, match: Match): number {
    const earlier = this.#covered(match);
    const asksForMore = [match.method, match.header, match.query, match.cookie, match.source, match.alpn].some((part) => part !== undefined && part !== null);
    if (!asksForMore && match.path?.some((path) => path.kind === 'regex') !== true) this.#take(index, match);
    else if (earlier === -1) return this.#same(index, match);
    return earlier;
  }

  #take(index: number, match: Match): void {
    for (const host of hostsOf(match) ?? [null]) {
      const hostText = host === null ? ANY : hostKey(host);
      let paths = this.#taken.get(hostText);
      if (paths === undefined) this.#taken.set(hostText, (paths = new Map<string, number>()));
      for (const path of match.path ?? [null]) {
        const pathText = path === null ? ANY : pathKey(path);
        if (!paths.has(pathText)) paths.set(pathText, index);
      }
    }
  }

  #same(index: number, match: Match): number {
    const text = JSON.stringify([hostsOf(match), match.path, match.method, match.header, match.query, match.cookie, match.source, match.alpn]);
    const same = this.#matches.get(text);
    if (same === undefined) this.#matches.set(text, index);
    return same ?? -1;
  }

  #covered(match: Match): number {
    const hosts = hostsOf(match) ?? [null];
    const paths = match.path ?? [null];
    if (hosts.length * paths.length > COMBINATIONS_MAX) return -1;
    let first = -1;
    for (const host of hosts) {
      const taken = this.#pathsOf(host);
      if (taken.length === 0) return -1;
      for (const path of paths) {
        const by = firstOf(taken, path);
        if (by === -1) return -1;
        if (first === -1) first = by;
      }
    }
    return first;
  }

  /** The paths taken from every host that takes what `host` takes. */
  #pathsOf(host: HostPattern | null): Map<string, number>[] {
    const found: Map<string, number>[] = [];
    const add = (key: string): void => {
      const paths = this.#taken.get(key);
      if (paths !== undefined) found.push(paths);
    };
    add(ANY);
    if (host === null) return found;
    add(hostKey(host));
    for (let dot = host.value.indexOf('.'); dot !== -1; dot = host.value.indexOf('.', dot + 1)) add(`*.${host.value.slice(dot + 1)}`);
    return found;
  }
}

function hostsOf(match: Match): readonly HostPattern[] | null | undefined {
  return match.host ?? match.sni;
}

function firstOf(taken: readonly Map<string, number>[], path: PathPattern | null): number {
  for (const key of widerPaths(path)) {
    for (const paths of taken) {
      const index = paths.get(key);
      if (index !== undefined) return index;
    }
  }
  return -1;
}

/** No pattern at all: takes requests without Host, and `OPTIONS *`, which "/" does not. */
const ANY = '*';

function hostKey(pattern: HostPattern): string {
  return pattern.kind === 'exact' ? pattern.value : `*.${pattern.value}`;
}

function pathKey(pattern: PathPattern): string {
  return pattern.kind === 'exact' ? `=${pattern.value}` : pattern.value === '' ? '/' : pattern.value;
}

/** The keys that take every path the pattern takes; of a regex nothing is known but that paths begin with a slash. */
function widerPaths(pattern: PathPattern | null): string[] {
  if (pattern === null) return [ANY];
  const keys = [ANY, '/'];
  if (pattern.kind === 'regex') return keys;
  if (pattern.kind === 'exact') keys.push(pathKey(pattern));
  const whole = pattern.value.replace(/\/$/, '');
  for (let slash = whole.indexOf('/', 1); slash !== -1; slash = whole.indexOf('/', slash + 1)) keys.push(whole.slice(0, slash));
  if (whole !== '') keys.push(whole);
  return keys;
}
