/**
 * Routes found by host: exact names in a map, `*.x` patterns in a map by x that
 * is asked for each label boundary, from the right, as far as the longest
 * pattern reaches. Each name leads to the PathIndex of its routes.
 */
import type { HostPattern } from '../../shared/snapshot.ts';
import { NONE, PathIndex } from './path-index.ts';
import type { RequestFields } from './request-fields.ts';

export class HostIndex {
  /** Lowest index of all routes in here. */
  lowest = NONE;
  readonly #exact = new Map<string, PathIndex>();
  readonly #suffixes = new Map<string, PathIndex>();
  #suffixLengthMax = 0;

  /** The paths of one pattern, made if they are new. */
  pathsOf(pattern: HostPattern, routeIndex: number): PathIndex {
    this.lowest = Math.min(this.lowest, routeIndex);
    const map = pattern.kind === 'exact' ? this.#exact : this.#suffixes;
    let paths = map.get(pattern.value);
    if (paths === undefined) map.set(pattern.value, (paths = new PathIndex()));
    if (pattern.kind === 'suffix') this.#suffixLengthMax = Math.max(this.#suffixLengthMax, pattern.value.length);
    return paths;
  }

  /** The lowest index below `best` whose host, path and conditions hold; `best` if there is none. */
  find(request: RequestFields, best: number): number {
    const host = request.host();
    if (host === '') return best;
    const paths = this.#exact.get(host);
    let found = paths === undefined || paths.lowest >= best ? best : paths.find(request, best);
    if (this.#suffixLengthMax === 0) return found;
    // A client chooses the length of its Host: boundaries further left than any pattern reaches are not looked at.
    const leftmost = Math.max(1, host.length - this.#suffixLengthMax - 1);
    for (let dot = host.lastIndexOf('.'); dot >= leftmost; dot = host.lastIndexOf('.', dot - 1)) {
      const suffixed = this.#suffixes.get(host.slice(dot + 1));
      if (suffixed !== undefined && suffixed.lowest < found) found = suffixed.find(request, found);
    }
    return found;
  }
}

/** One pattern by itself: what the index must agree with. `host` in lower case, without port and final dot. */
export function hostMatches(pattern: HostPattern, host: string): boolean {
  if (host === '') return false;
  if (pattern.kind === 'exact') return host === pattern.value;
  return host.length > pattern.value.length + 1 && host.endsWith(`.${pattern.value}`);
}
