/** Which files a program really uses, and which plug-ins it forgot. */
import { basename, dirname } from 'node:path';
import type { Source } from './sources.ts';
import { importsOf } from './syntax.ts';

/** Paths reached over imports of values and types from every file that `isEntry`. */
export function reachableFrom(files: readonly Source[], isEntry: (path: string) => boolean): ReadonlySet<string> {
  const byPath = new Map(files.map((source) => [source.path, source]));
  const reached = new Set<string>();
  const waiting = files.map(({ path }) => path).filter(isEntry);
  while (waiting.length > 0) {
    const path = waiting.pop()!;
    const source = byPath.get(path);
    if (source === undefined || reached.has(path)) continue;
    reached.add(path);
    for (const edge of importsOf(source)) if (edge.own) waiting.push(edge.to);
  }
  return reached;
}

/**
 * A file beside a registry.ts that exports a `…Definition` (`export const x: BalancerDefinition`)
 * is a plug-in, and the registry must import it.
 */
export function unregisteredPlugins(files: readonly Source[]): string[] {
  const registries = files.filter(({ path }) => basename(path) === 'registry.ts');
  return registries.flatMap((registry) => {
    const registered = new Set(importsOf(registry).map((edge) => edge.to));
    const plugins = files.filter(({ path, text }) => dirname(path) === dirname(registry.path) && path !== registry.path && EXPORTS_DEFINITION.test(text));
    return plugins.map(({ path }) => path).filter((path) => !registered.has(path));
  });
}

const EXPORTS_DEFINITION = /export const \w+(?:: \w*Definition\b|[^;]*?satisfies \w*Definition\b)/;
