/**
 * Where a config has its secrets, and which stand in it as they are. In a file of one machine that is
 * its owner's business; a config that is published to a tier is in the store,
 * in its versions and on every member's disk, so there they are refused: each
 * member reads its own from `file:PATH` or `${VARIABLE}`.
 */
import type { ProblemList } from './problems.ts';
import type { MapNode, ScalarNode, YamlNode } from './yaml-tree.ts';

/** `*`: every key, or item. What has another shape there is no secret. */
const SECRET_PATHS: readonly (readonly string[])[] = [
  ['admin', 'token'],
  ['admin', 'readToken'],
  ['pools', '*', 'health', 'password'],
  ['pools', '*', 'health', '*', 'password'],
  ['tier', 'store'],
];

const URL_PASSWORD = /^[a-z]+:\/\/[^:@/]*:([^@/]*)@/;

export function refuseLiteralSecrets(tree: MapNode, problems: ProblemList): void {
  for (const path of SECRET_PATHS) {
    for (const node of nodesAt(tree, path)) {
      if (node.kind !== 'scalar' || !isLiteralSecret(node, path.at(-1) === 'store')) continue;
      problems.error(node.at, `${path.filter((step) => step !== '*').join('.')} is written into the config, which all who can read the store would see`, {
        expected: 'file:PATH, or ${VARIABLE}, which each proxy reads for itself',
      });
    }
  }
}

/** What stands at the places of secrets, wherever it came from. */
export function secretScalars(tree: MapNode): ReadonlySet<ScalarNode> {
  return new Set(SECRET_PATHS.flatMap((path) => nodesAt(tree, path)).filter((node) => node.kind === 'scalar'));
}

function isLiteralSecret({ source, secret, value }: ScalarNode, isUrl: boolean): boolean {
  if (secret || value === null || value === '' || value === 'none') return false;
  const text = isUrl ? (URL_PASSWORD.exec(source)?.[1] ?? '') : source;
  return text !== '' && !text.includes('${');
}

function nodesAt(node: YamlNode, [step, ...rest]: readonly string[]): YamlNode[] {
  if (step === undefined) return [node];
  if (node.kind === 'scalar') return [];
  if (node.kind === 'list') return step === '*' ? node.items.flatMap((item) => nodesAt(item, rest)) : [];
  const entries = step === '*' ? [...node.entries.values()] : [node.entries.get(step)];
  return entries.flatMap((entry) => (entry === undefined ? [] : nodesAt(entry.value, rest)));
}
