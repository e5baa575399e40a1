/** The reference page: every key of the config with type, default and meaning, told by the zod schema itself. */
import { z } from 'zod';
import { algorithmMaps } from '../src/config/schema/algorithm.ts';
import { config } from '../src/config/schema/config.ts';
import { healthMaps } from '../src/config/schema/health.ts';
import { listenerMaps } from '../src/config/schema/listeners.ts';
import { noteOf } from '../src/config/schema/notes.ts';

type AnySchema = z.core.$ZodTypes;

const INTRODUCTION = `# Reference: every key of the config

<!-- Made by docs/generate.ts from the schema in src/config/schema: do not edit. -->

\`NAME\` stands for a name of yours: letters, digits, \`.\`, \`_\` and \`-\`, 63 at most. \`weir check FILE\`
prints a config with every default in its place; \`config/schema.json\` is the same for an editor. Where a
type says "or a list", all entries are alternatives.
`;

export function referencePage(): string {
  const sections: string[] = [INTRODUCTION];
  addSection(sections, '', config);
  return `${sections.join('\n')}`;
}

/** Maps of several kinds, by their place. */
const VARIANTS: ReadonlyMap<string, ReadonlyMap<string, z.ZodObject>> = new Map([
  ['listeners.NAME', listenerMaps],
  ['pools.NAME.algorithm', algorithmMaps],
  ['pools.NAME.health', healthMaps],
]);

/** One table for the keys of a map, then one for each map below it. */
function addSection(sections: string[], path: string, schema: AnySchema, variant = ''): void {
  const { shape } = (schema as z.core.$ZodObject)._zod.def;
  const keys = Object.entries(shape) as [string, AnySchema][];
  const rows = keys.map(([key, value]) => `| \`${key}\` | ${cell(typeText(value))} | ${cell(defaultText(value))} | ${cell(description(value))} |`);
  sections.push(`## ${path === '' ? 'Top level' : `\`${path}\``}${variant}\n\n| key | type | default | meaning |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n`);
  for (const [key, value] of keys) addBelow(sections, path === '' ? key : `${path}.${key}`, value, variant);
}

function addBelow(sections: string[], path: string, schema: AnySchema, variant: string): void {
  const { def } = schema._zod;
  const variants = VARIANTS.get(path);
  if (variants !== undefined) {
    for (const [name, map] of variants) addSection(sections, path, map, `: \`${name}\``);
    return;
  }
  if (noteOf(schema).leaf !== undefined) return;
  switch (def.type) {
    case 'object':
      return addSection(sections, path, schema, variant);
    case 'record':
      return addBelow(sections, `${path}.${noteOf(schema).keyName ?? 'NAME'}`, def.valueType as AnySchema, variant);
    case 'array':
      return addBelow(sections, `${path}[]`, def.element as AnySchema, variant);
    case 'union': {
      const map = (def.options as AnySchema[]).find((option) => noteOf(inner(option)).leaf === undefined && ['object', 'union'].includes(inner(option)._zod.def.type));
      if (map !== undefined) addBelow(sections, path, map, variant);
      return;
    }
    default:
      if (inner(schema) !== schema) addBelow(sections, path, inner(schema), variant);
  }
}

/** Behind defaults and transforms; a scalar with a reading of its own is left whole. */
function inner(schema: AnySchema): AnySchema {
  const { def } = schema._zod;
  if (noteOf(schema).leaf !== undefined) return schema;
  if ('innerType' in def) return inner(def.innerType as AnySchema);
  return def.type === 'pipe' ? inner(def.in as AnySchema) : schema;
}

function typeText(schema: AnySchema): string {
  const own = noteOf(schema).expected;
  if (own !== undefined) return own;
  const { def } = schema._zod;
  switch (def.type) {
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
      return typeText(def.innerType as AnySchema);
    case 'pipe':
      return typeText(def.in as AnySchema);
    case 'object':
      return 'a map';
    case 'record':
      return noteOf(schema).keyName === undefined ? 'a map by name' : `a map by ${noteOf(schema).keyName!.toLowerCase()}`;
    case 'array':
      return `a list, each ${typeText(def.element as AnySchema)}`;
    case 'union':
      return [...new Set((def.options as AnySchema[]).map(typeText))].join(', or ');
    case 'enum':
      return Object.values(def.entries).join(', ');
    case 'literal':
      return def.values.map((value) => `\`${String(value)}\``).join(', ');
    case 'string':
      return 'text';
    case 'number':
      return 'a number';
    case 'boolean':
      return 'true or false';
    default:
      return def.type;
  }
}

function defaultText(schema: AnySchema): string {
  const { def } = schema._zod;
  if (def.type === 'default' || def.type === 'prefault') return def.defaultValue === null || isEmptyMap(def.defaultValue) ? '' : `\`${shown(def.defaultValue)}\``;
  if (def.type === 'optional') return '';
  return z.safeParse(schema, undefined).success ? '' : 'required';
}

function shown(value: unknown): string {
  return typeof value === 'string' && value !== '' ? value : JSON.stringify(value);
}

function isEmptyMap(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;
}

function description(schema: AnySchema): string {
  const own = z.globalRegistry.get(schema)?.description;
  const { def } = schema._zod;
  return own ?? ('innerType' in def ? description(def.innerType as AnySchema) : '');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
