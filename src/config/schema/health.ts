/** `health` of a pool: a type, a map with its options, or a list of these; the types are those of the probe registry. */
import { z } from 'zod';
import { probeDefinitions } from '../../control-plane/health/registry.ts';
import { isSecretOption } from '../../control-plane/health/secret-option.ts';
import { nearest } from '../nearest.ts';
import { alternatives, choice, duration, whole } from './leaves.ts';
import { Fault, leaf, note } from './notes.ts';
import { mapWithOptions } from './rules.ts';

const DEFAULT_TYPE = 'http';
const names = probeDefinitions.map((definition) => definition.name);
const TYPE_FORM = `${alternatives(names)}, or a map with type and options`;
export const HEALTH_FORM = `${TYPE_FORM}; or a list`;

/** What every type has beside its own options. */
const schedule = {
  port: whole(1, 65535).optional().describe("Port that is probed. Absent: the backend's."),
  interval: duration({ zero: false }).prefault('1s').describe('From the start of one probe to the start of the next.'),
  timeout: duration({ zero: false }).prefault('500ms').describe('How long a probe may take.'),
  rise: whole(1).prefault(2).describe('Passes in a row that make a backend up.'),
  fall: whole(1).prefault(3).describe('Failures in a row that make it down.'),
  fastInterval: duration({ zero: false }).prefault('500ms').describe('Interval while results contradict the verdict.'),
};

const role = choice(['primary']).optional().describe('primary: passes only for the one that takes writes, and the pool never panics.');

/** Those in maps of their own, such as `tls`, too. */
function noteSecrets(options: z.ZodObject): void {
  for (const option of Object.values(options.shape) as z.ZodType[]) {
    if (isSecretOption(option)) note(option, { secret: true });
    let inner: z.core.$ZodType = option;
    while ('innerType' in inner._zod.def) inner = inner._zod.def.innerType as z.core.$ZodType;
    if (inner instanceof z.ZodObject) noteSecrets(inner);
  }
}

const maps: ReadonlyMap<string, z.ZodObject> = new Map(
  probeDefinitions.map((definition) => {
    const literal = z.literal(definition.name);
    const type = (definition.name === DEFAULT_TYPE ? literal.prefault(DEFAULT_TYPE) : literal).describe(definition.summary);
    noteSecrets(definition.options);
    return [definition.name, mapWithOptions({ type }, definition.options, definition.hasRoles === true ? { role, ...schedule } : schedule)];
  }),
);

type Schedule = z.output<z.ZodObject<typeof schedule>>;
export type Health = Schedule & { readonly type: string; readonly role?: 'primary'; readonly [option: string]: unknown };

/** Every type as a map, for the reference page. */
export const healthMaps = maps;

/** Keys that are not options of the type. */
export const scheduleKeys: ReadonlySet<string> = new Set(['type', ...Object.keys(schedule)]);

function choose(type: unknown): z.ZodObject | Fault {
  const map = typeof type === 'string' ? maps.get(type) : undefined;
  if (map !== undefined) return map;
  const expected = alternatives(names);
  if (typeof type !== 'string') return new Fault('is not a type of probe', { expected });
  return new Fault('is not a type of probe', { expected, suggestion: nearest(type, names) });
}

const short = leaf(z.enum(names), ['string'], TYPE_FORM, (value: string) => {
  const map = choose(value);
  return map instanceof Fault ? map : map.parse({ type: value });
});

export const health = note(z.union([short, ...maps.values()]), {
  expected: TYPE_FORM,
  longForm: 'type',
  choose: (read) => {
    const type = read('type');
    const map = choose(type === undefined ? DEFAULT_TYPE : type);
    return map instanceof Fault ? { fault: map, key: 'type' } : map;
  },
}) as unknown as z.ZodType<Health, string | Record<string, unknown>>;
