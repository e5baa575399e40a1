/** `algorithm` of a pool: a name, a map with options, or a module of the operator's own. */
import { z } from 'zod';
import { balancers } from '../../data-plane/balance/registry.ts';
import type { KeySpec } from '../../shared/snapshot.ts';
import { nearest } from '../nearest.ts';
import { TOKEN } from './header-edits.ts';
import { text } from './leaves.ts';
import { Fault, leaf, note } from './notes.ts';
import { mapWithOptions } from './rules.ts';

const LATER = ['prequal'];
const KEY_FORM = 'client-ip, path, header:NAME, cookie:NAME or query:NAME';
const names = balancers.map((definition) => definition.name);
const NAME_FORM = `${names.join(', ')}, or a module such as ./my-balancer.js`;

/** What a hashing algorithm hashes. */
export const algorithmKey = leaf(z.string().regex(/^(client-ip|path|(header|cookie|query):.+)$/), ['string'], KEY_FORM, (value: string): KeySpec | Fault => {
  if (value === 'client-ip' || value === 'path') return { kind: value, name: '' };
  const [, kind, name] = /^(header|cookie|query):(.+)$/.exec(value) ?? [];
  if (kind === undefined || name === undefined) return new Fault('is not a key', { suggestion: nearest(value, ['client-ip', 'path']) });
  if (kind === 'header' && !TOKEN.test(name)) return new Fault('names no header');
  return { kind: kind as KeySpec['kind'], name: kind === 'header' ? name.toLowerCase() : name };
});

const key = algorithmKey.prefault('client-ip').describe('What is hashed; the client address too when the request lacks it.');

/** A path, as opposed to a name in the registry. */
export function isModulePath(value: string): boolean {
  return /^\.{0,2}\//.test(value);
}

const ownModule = z.looseObject({ name: text('a path such as ./my-balancer.js').describe('A module of your own, from the folder of the config on; further keys are its options.'), key });

const maps: ReadonlyMap<string, z.ZodObject> = new Map(
  balancers.map((definition) => {
    const { options } = definition;
    if (!(options instanceof z.ZodObject)) throw new Error(`the options of ${definition.name} are no zod object`);
    const name = z.literal(definition.name).describe(definition.summary);
    const hasKey = definition.usesKey && definition.fixedKey === undefined;
    return [definition.name, mapWithOptions({ name, ...(hasKey ? { key } : {}) }, options)];
  }),
);

export interface Algorithm {
  readonly name: string;
  readonly key?: KeySpec;
  readonly [option: string]: unknown;
}

/** Every algorithm as a map, for the reference page. */
export const algorithmMaps = maps;

function choose(name: unknown): z.ZodObject | Fault {
  if (typeof name !== 'string') return new Fault(name === undefined ? 'has no name' : 'is not the name of an algorithm', { expected: NAME_FORM });
  const map = maps.get(name);
  if (map !== undefined) return map;
  if (isModulePath(name)) return ownModule;
  if (LATER.includes(name)) return new Fault('is not built yet', { expected: NAME_FORM });
  return new Fault('is not an algorithm', { expected: NAME_FORM, suggestion: nearest(name, names) });
}

const short = leaf(z.union([z.enum(names), z.string().regex(/^\.{0,2}\//)]), ['string'], NAME_FORM, (value: string) => {
  const map = choose(value);
  return map instanceof Fault ? map : map.parse({ name: value });
});

export const algorithm = note(z.union([short, ...maps.values(), ownModule]), {
  expected: NAME_FORM,
  longForm: 'name',
  choose: (read) => {
    const map = choose(read('name'));
    return map instanceof Fault ? { fault: map, key: 'name' } : map;
  },
}) as unknown as z.ZodType<Algorithm, string | Record<string, unknown>>;
