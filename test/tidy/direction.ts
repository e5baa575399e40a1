/**
 * Which part of the product may import which. A file may import from its own
 * part and from parts of a lower rank; the two planes never meet but in shared/.
 */

interface Part {
  /** Longest matching prefix of a path wins. */
  readonly prefix: string;
  readonly rank: number;
}

const parts: readonly Part[] = [
  { prefix: 'src/base/', rank: 0 },
  { prefix: 'src/net/', rank: 1 },
  { prefix: 'src/observe/', rank: 1 },
  { prefix: 'src/shared/', rank: 1 },
  { prefix: 'src/data-plane/parse/', rank: 1 },
  { prefix: 'src/data-plane/', rank: 2 },
  { prefix: 'src/control-plane/store/', rank: 2 },
  { prefix: 'src/control-plane/membership/', rank: 3 },
  { prefix: 'src/control-plane/', rank: 4 },
  { prefix: 'src/config/', rank: 5 },
  { prefix: 'src/control-plane/admin/', rank: 5 },
  { prefix: 'src/', rank: 6 },
];

/** Within one rank some parts still know nothing of others. */
const forbidden: readonly (readonly [from: string, to: string, why: string])[] = [
  ['src/data-plane/', 'src/control-plane/', 'the data plane never waits for the control plane: they meet in src/shared'],
  ['src/control-plane/', 'src/data-plane/', 'the planes meet in src/shared'],
  ['src/data-plane/relay/', 'src/data-plane/balance/', 'relay says "may be retried"; the pipeline picks again, so that retry is one loop'],
  ['src/data-plane/parse/', 'src/net/', 'parsing does no I/O'],
  ['src/data-plane/parse/', 'src/base/clock.ts', 'parsing knows no time'],
];

/** Shapes that are passed on by parts of lower rank, which may import their types and nothing else. */
const sharedShapes = new Set(['src/config/problems.ts']);

function rankOf(path: string): number {
  const [best] = parts.filter((part) => path.startsWith(part.prefix)).sort((a, b) => b.prefix.length - a.prefix.length);
  return best?.rank ?? Number.POSITIVE_INFINITY;
}

/** Why `from` may not import `to`; null: it may. */
export function whyNot(from: string, to: string, typeOnly: boolean): string | null {
  if (typeOnly && sharedShapes.has(to)) return null;
  const broken = forbidden.find(([source, target]) => from.startsWith(source) && to.startsWith(target));
  if (broken) return broken[2];
  if (!to.startsWith('src/')) return 'the product does not import tests, benches or the demo';
  return rankOf(to) > rankOf(from) ? 'imports go from the general to the particular' : null;
}
