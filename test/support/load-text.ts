/** Loads YAML text in tests: chosen variables, secrets from a map or a real folder, plain values out. */
import { loadYaml, type LoadedYaml } from '../../src/config/load-yaml.ts';
import type { SubstitutionSource } from '../../src/config/substitute.ts';
import type { YamlNode } from '../../src/config/yaml-tree.ts';

/** A source that knows these variables and secrets, and no others. */
export function fixedSource(variables: Readonly<Record<string, string>> = {}, secrets: Readonly<Record<string, string>> = {}): SubstitutionSource {
  return {
    variable: (name) => (Object.hasOwn(variables, name) ? variables[name] : undefined),
    readSecret: (path) => {
      const text = Object.hasOwn(secrets, path) ? secrets[path] : undefined;
      const file = `/etc/weir/${path}`;
      return text === undefined ? { ok: false, reason: 'there is no such file', file } : { ok: true, text, file };
    },
  };
}

export function loadText(text: string | Uint8Array, source: SubstitutionSource = fixedSource()): LoadedYaml {
  return loadYaml(text, 'weir.yaml', source);
}

/** The tree as plain values, maps as Maps so that no key is special. */
export function valueOf(node: YamlNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(valueOf);
  return new Map([...node.entries].map(([key, entry]) => [key, valueOf(entry.value)]));
}

/** The same with objects: for comparing with a literal. Throws on problems, with their messages. */
export function plainValue(text: string, source?: SubstitutionSource): unknown {
  const { tree, problems } = loadText(text, source);
  if (tree === null || problems.hasErrors) throw new Error(messages(text, source).join('\n'));
  return toObject(valueOf(tree));
}

/** Each problem as `line:column message`, in order. */
export function messages(text: string | Uint8Array, source?: SubstitutionSource): string[] {
  return loadText(text, source).problems.sorted().map((problem) => `${problem.line}:${problem.column} ${problem.message}`);
}

function toObject(value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries([...(value as Map<string, unknown>)].map(([key, inner]) => [key, toObject(inner)]));
  return Array.isArray(value) ? value.map(toObject) : value;
}
