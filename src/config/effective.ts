/**
 * The config as it works: written out in full, every default in its place,
 * variables resolved, secrets hidden. It loads again, to the same snapshot
 * (but for what is hidden).
 */
import { dump } from 'js-yaml';
import { z } from 'zod';
import { isRolePool, type Snapshot } from '../shared/snapshot.ts';
import { config } from './schema/config.ts';
import { noteOf, type Note } from './schema/notes.ts';
import type { MapNode, YamlNode } from './yaml-tree.ts';

export const HIDDEN = '(hidden)';

/** Longer texts than this are not folded, so that a line can be searched for. */
const LINE_WIDTH = 160;

export function printEffective(tree: MapNode, snapshot: Snapshot): string {
  return dump(effectiveConfig(tree, snapshot), { lineWidth: LINE_WIDTH, noRefs: true });
}

/** The same as plain values, in the order of the reference page. */
export function effectiveConfig(tree: MapNode, snapshot: Snapshot): Record<string, unknown> {
  const written = shownTree(tree) as Plain;
  // What these are depends on a terminal and a flag, not on the file alone.
  written.log = { ...(written.log as Plain | undefined), format: snapshot.log.format };
  written.admin = { ...(written.admin as Plain | undefined), bind: snapshot.admin.bind.text };
  const completed = complete(config, written) as Plain;
  // Whatever is written: such a pool never panics.
  for (const { name } of snapshot.pools.filter(isRolePool)) (completed.pools as Record<string, Plain>)[name]!.panicThreshold = '0%';
  return completed;
}

function shownTree(node: YamlNode): unknown {
  if (node.kind === 'scalar') return node.secret ? HIDDEN : node.value;
  if (node.kind === 'list') return node.items.map(shownTree);
  const shown = Object.create(null) as Record<string, unknown>;
  for (const [key, entry] of node.entries) shown[key] = shownTree(entry.value);
  return shown;
}

type Plain = Record<string, unknown>;

/** `value`, in the form it is written in, with what the schema adds to it; undefined: nothing there. */
function complete(schema: z.core.$ZodType, value: unknown): unknown {
  const note = noteOf(schema);
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (note.secret === true) return value === undefined || value === 'none' ? value : HIDDEN;
  if (note.shown !== undefined) return typeof value === 'string' ? note.shown(value) : value;
  if (note.leaf !== undefined) return value === false && z.safeParse(schema, false).data === 'off' ? 'off' : value;
  switch (def.type) {
    case 'default':
    case 'prefault':
      return complete(def.innerType, value ?? def.defaultValue);
    case 'optional':
    case 'nullable':
      return value === undefined || value === null ? undefined : complete(def.innerType, value);
    case 'pipe':
      return complete(def.in, value);
    case 'array':
      return Array.isArray(value) ? value.map((item) => complete(def.element, item)) : value;
    case 'record':
      return mapValues(value as Plain, (item) => complete(def.valueType, item));
    case 'object':
      return completeObject(schema as z.core.$ZodObject, value as Plain);
    case 'union':
      return completeUnion(schema as z.core.$ZodUnion, note, value);
    default:
      return value;
  }
}

function completeObject(schema: z.core.$ZodObject, value: Plain): Plain {
  const { shape, catchall } = schema._zod.def;
  const result = Object.create(null) as Plain;
  for (const [key, inner] of Object.entries(shape)) {
    const completed = complete(inner, value[key]);
    if (completed !== undefined && completed !== null) result[key] = completed;
  }
  if (catchall !== undefined) for (const key of Object.keys(value)) if (!(key in shape)) result[key] = value[key];
  return result;
}

function completeUnion(schema: z.core.$ZodUnion, note: Note, written: unknown): unknown {
  const options = schema._zod.def.options.filter((option) => noteOf(option).leaf === undefined).map(innermost);
  const value = written === false ? 'off' : written;
  if (Array.isArray(value)) {
    const list = options.find((option) => option._zod.def.type === 'array');
    return list === undefined ? value : complete(list, value);
  }
  const isMap = typeof value === 'object' && value !== null;
  if (!isMap && note.longForm === undefined) return value;
  const map = (isMap ? value : { [note.longForm!]: value }) as Plain;
  if (note.choose !== undefined) {
    const chosen = note.choose((key) => map[key] as string | undefined);
    return 'fault' in chosen ? value : complete(chosen, map);
  }
  const option = options.find((candidate) => candidate._zod.def.type === 'object' || candidate._zod.def.type === 'union');
  return option === undefined ? value : complete(option, map);
}

/** What stands behind transforms. */
function innermost(schema: z.core.$ZodType): z.core.$ZodTypes {
  let inner = schema as z.core.$ZodTypes;
  while (inner._zod.def.type === 'pipe') inner = inner._zod.def.in as z.core.$ZodTypes;
  return inner;
}

function mapValues(map: Plain, change: (value: unknown) => unknown): Plain {
  const result = Object.create(null) as Plain;
  for (const key of Object.keys(map)) result[key] = change(map[key]);
  return result;
}
