/** Names of routes in logs and metrics: the operator's, or host and path (of tcp: sni) of the match, each once in a listener. */
import type { MatchSpec } from '../shared/snapshot.ts';

interface Labelled {
  readonly name: string | null;
  readonly match: MatchSpec;
}

/** One label a route, in order. A written name is never changed; a made one gets `#2`, `#3` … where it would repeat. */
export function routeLabels(routes: readonly Labelled[]): string[] {
  const taken = new Set(routes.flatMap((route) => route.name ?? []));
  const repeats = new Map<string, number>();
  return routes.map(({ name, match }) => {
    if (name !== null) return name;
    const label = matchLabel(match);
    let repeat = (repeats.get(label) ?? 0) + 1;
    while (taken.has(numbered(label, repeat))) repeat++;
    repeats.set(label, repeat);
    taken.add(numbered(label, repeat));
    return numbered(label, repeat);
  });
}

function numbered(label: string, repeat: number): string {
  return repeat === 1 ? label : `${label}#${repeat}`;
}

/** `a.example.com/v1`, `*.example.com`, `/v1`; `*` for a match that names neither. Of a list the first, and how many more. */
function matchLabel({ host, path, sni }: MatchSpec): string {
  const hosts = (host ?? sni)?.map((pattern) => (pattern.kind === 'exact' ? pattern.value : `*.${pattern.value}`)) ?? [];
  const paths = path?.map((pattern) => (pattern.kind === 'prefix' && pattern.value === '' ? '/' : pattern.value)) ?? [];
  return `${firstOf(hosts)}${firstOf(paths)}` || '*';
}

function firstOf(list: readonly string[]): string {
  return list.length < 2 ? (list[0] ?? '') : `${list[0]}+${list.length - 1}`;
}
