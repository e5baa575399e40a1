/**
 * From a pool's `algorithm` to something that balances: a registered
 * definition, or a user's own module (a JavaScript or TypeScript file whose
 * default export is a BalancerDefinition; all but `create` may be left out).
 *
 * A module's options are checked here, in the thread that runs it, and so
 * travel in the snapshot as written; those of a registered algorithm were
 * checked when the config was read.
 */
import { realpath, stat } from 'node:fs/promises';
import { basename, extname, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { systemClock, type Clock } from '../../base/clock.ts';
import type { AlgorithmSpec } from '../../shared/snapshot.ts';
import type { BalancerDefinition } from './balancer.ts';
import { findBalancer } from './registry.ts';

/** A module that never finishes loading would hold up this and every later reload. */
const LOAD_MS_MAX = 5000;

export interface Algorithm {
  readonly definition: BalancerDefinition;
  /** Checked, defaults filled in. */
  readonly options: Record<string, unknown>;
}

/** What is wrong with a module or its options, for the operator. */
export class BalancerModuleError extends Error {
  override name = 'BalancerModuleError';
}

/** @throws BalancerModuleError: refuses the config. */
export async function resolveAlgorithm(spec: AlgorithmSpec, pluginsDir: string | null, clock: Clock = systemClock): Promise<Algorithm> {
  if (spec.module === null) {
    const definition = findBalancer(spec.name);
    if (definition === undefined) throw new BalancerModuleError(`no algorithm is named "${spec.name}"`);
    return { definition, options: spec.options };
  }
  const definition = await loadBalancerModule(spec.module, pluginsDir, clock);
  const checked = definition.options.safeParse(spec.options);
  if (checked.success) return { definition, options: checked.data };
  const issues = checked.error.issues.map((issue) => [...issue.path.map(String), issue.message].join(': '));
  throw new BalancerModuleError(`${spec.module}: its options are wrong: ${issues.join('; ')}`);
}

/** One definition per default export, so that instances carry over while the file is the same. */
const definitions = new WeakMap<object, BalancerDefinition>();

/**
 * Imports the file, anew if it changed since it was last imported.
 * @param pluginsDir the only folder code may come from; null: none may
 * @throws BalancerModuleError
 */
export async function loadBalancerModule(absolutePath: string, pluginsDir: string | null, clock: Clock = systemClock): Promise<BalancerDefinition> {
  if (pluginsDir === null) throw new BalancerModuleError(`${absolutePath} may not be loaded: no folder for modules is named (--plugins)`);
  const path = await realPath(absolutePath);
  if (!path.startsWith((await realPath(pluginsDir)) + sep)) {
    throw new BalancerModuleError(`${absolutePath} is not below ${pluginsDir}, the only folder modules may come from`);
  }
  const { mtimeMs } = await stat(path);
  let exported: unknown;
  try {
    // The loader keeps what it has for a URL, so a changed file needs another one.
    const loading = import(`${pathToFileURL(path).href}?changed=${mtimeMs}`) as Promise<{ default?: unknown }>;
    exported = (await inTime(loading, clock)).default;
  } catch (error) {
    throw new BalancerModuleError(`${absolutePath} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  if (typeof exported !== 'object' || exported === null) throw new BalancerModuleError(`${absolutePath} has no default export that is an object`);
  const known = definitions.get(exported);
  if (known !== undefined) return known;
  const definition = definitionOf(exported as Record<string, unknown>, path);
  definitions.set(exported, definition);
  return definition;
}

function inTime<T>(loading: Promise<T>, clock: Clock): Promise<T> {
  return new Promise((resolve, reject) => {
    const limit = clock.after(LOAD_MS_MAX, () => reject(new Error(`it did not finish loading within ${LOAD_MS_MAX / 1000} s`)));
    loading.then(resolve, reject).finally(() => limit.cancel());
  });
}

async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    throw new BalancerModuleError(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function definitionOf(exported: Record<string, unknown>, path: string): BalancerDefinition {
  const { create, latencyDecayMs } = exported as Partial<BalancerDefinition>;
  const wrong = (what: string): never => {
    throw new BalancerModuleError(`${path}: ${what}`);
  };
  if (typeof create !== 'function') return wrong('its default export must have a function `create(candidates, options, environment)`');
  if (latencyDecayMs !== undefined && typeof latencyDecayMs !== 'function') return wrong('`latencyDecayMs` must be a function of the options');
  const optional = (key: string, type: 'string' | 'boolean'): unknown => {
    const value = exported[key];
    return value === undefined || typeof value === type ? value : wrong(`\`${key}\` must be a ${type}`);
  };
  return {
    name: (optional('name', 'string') as string | undefined) ?? basename(path, extname(path)),
    summary: (optional('summary', 'string') as string | undefined) ?? '',
    options: optionsOf(exported['options'], wrong),
    usesKey: (optional('usesKey', 'boolean') as boolean | undefined) ?? false,
    expectedShares: 'by-weight',
    ...(latencyDecayMs === undefined ? {} : { latencyDecayMs: (options) => latencyDecayMs.call(exported, options) }),
    create: (candidates, options, environment) => create.call(exported, candidates, options, environment),
  };
}

/** Anything with `parse`, as schemas of zod and its likes have; nothing: options are passed as written. */
function optionsOf(schema: unknown, wrong: (what: string) => never): z.ZodType<Record<string, unknown>> {
  const asWritten = z.record(z.string(), z.unknown());
  if (schema === undefined) return asWritten;
  if (typeof schema !== 'object' || schema === null || !('parse' in schema) || typeof schema.parse !== 'function') {
    return wrong('`options` must have a function `parse`');
  }
  const parser = schema as { parse(options: unknown): Record<string, unknown> };
  return asWritten.transform((options, context) => {
    try {
      return parser.parse(options);
    } catch (error) {
      context.addIssue(error instanceof Error ? error.message : String(error));
      return z.NEVER;
    }
  });
}
