/** The short `sni:` map of a tcp listener as the routes that it stands for. */
import type { HostPattern } from '../shared/snapshot.ts';
import { Fault } from './schema/notes.ts';
import { parseSniPattern } from './schema/match.ts';

/** More than any name can have in its 253 bytes. */
const LABELS_MAX = 1000;

export interface SniRoute {
  /** The key as written. */
  readonly text: string;
  readonly pattern: HostPattern;
  /** undefined: it was found wrong, and told. */
  readonly pool: string | undefined;
}

/** A map has no order that counts: exact names come first, then wildcards from the longest on, so that the most exact one wins. */
export function sniRoutes(map: Readonly<Record<string, string | undefined>>): SniRoute[] {
  const routes: SniRoute[] = [];
  for (const [text, pool] of Object.entries(map)) {
    const pattern = parseSniPattern(text);
    if (!(pattern instanceof Fault)) routes.push({ text, pattern, pool });
  }
  return routes.sort((one, other) => rank(one.pattern) - rank(other.pattern));
}

function rank({ kind, value }: HostPattern): number {
  return kind === 'exact' ? -LABELS_MAX : -value.split('.').length;
}
