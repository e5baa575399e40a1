/**
 * Holds a YAML tree against a zod schema of ours: gives the schema's output and
 * reports every fault where it stands. It interprets the schema rather than
 * calling `parse`, because zod knows no positions, stops a union at "invalid
 * input", and validates 20,000 items several times slower.
 *
 * What is wrong is left out of the result, so that cross-checks can still look
 * at the rest; the result is complete only if no error was reported.
 */
import { z } from 'zod';
import { nearest } from './nearest.ts';
import { problemOfIssue, shownValue, Trail } from './schema-problems.ts';
import type { ProblemList } from './problems.ts';
import { Fault, noteOf, type Note } from './schema/notes.ts';
import { nodeAt, type MapEntry, type MapNode, type ScalarNode, type YamlNode } from './yaml-tree.ts';

type AnySchema = z.core.$ZodType;

/** What one walk carries along. */
interface Walk {
  readonly problems: ProblemList;
  errorCount: number;
}

/** A schema prepared for walking. Gives undefined where it reported an error. */
type Step = (node: YamlNode, trail: Trail, walk: Walk) => unknown;

const steps = new WeakMap<AnySchema, Step>();

/** → the schema's output, without the parts that `problems` now tells about. */
export function checkSchema<S extends z.ZodType>(schema: S, tree: YamlNode, problems: ProblemList): Loose<z.output<S>> {
  return stepOf(schema)(tree, Trail.top, { problems, errorCount: 0 }) as Loose<z.output<S>>;
}

/** A value of which any part may be missing. */
export type Loose<T> = T extends readonly (infer Item)[]
  ? readonly (Loose<Item> | undefined)[]
  : T extends object
    ? { readonly [Key in keyof T]?: Loose<T[Key]> | undefined }
    : T | undefined;

function stepOf(schema: AnySchema): Step {
  let step = steps.get(schema);
  if (step === undefined) steps.set(schema, (step = makeStep(schema as z.core.$ZodTypes)));
  return step;
}

function makeStep(schema: z.core.$ZodTypes): Step {
  const note = noteOf(schema);
  if (note.leaf !== undefined) return leafStep(note, note.leaf);
  if (note.item !== undefined) return oneOrManyStep(note.item, note.list!, note);
  const { def } = schema._zod;
  switch (def.type) {
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
      return isNullable(schema) ? nullableStep(stepOf(def.innerType)) : stepOf(def.innerType);
    case 'object':
      return objectStep(schema as z.core.$ZodObject, note);
    case 'record':
      return recordStep(schema as z.core.$ZodRecord);
    case 'array':
      return arrayStep(schema as z.core.$ZodArray, note);
    case 'union':
      return unionStep(schema as z.core.$ZodUnion, note);
    case 'pipe':
      return pipeStep(def.in, def.out);
    default:
      return zodStep(schema, note);
  }
}

/** What a fault is shown at: the value, or where it should have been. */
function report(walk: Walk, at: number, trail: Trail, message: string, hints: { expected?: string | undefined; suggestion?: string | undefined } = {}): undefined {
  walk.errorCount++;
  walk.problems.error(at, `${trail.text()}${message}`, hints);
  return undefined;
}

/** Values of these keys are secrets even when they were written into the file itself. */
const SECRET_TRAIL = /(?:^|\.)(?:token|readToken|password|tier\.store): $/;

function keptBack(node: ScalarNode, trail: Trail): ScalarNode {
  return SECRET_TRAIL.test(trail.text()) ? { ...node, secret: true } : node;
}

function reportFault(walk: Walk, written: ScalarNode, trail: Trail, fault: Fault, expected: string | undefined): undefined {
  const node = keptBack(written, trail);
  const message = fault.message.startsWith('`') ? fault.message.replace(/^`[^`]*` /, '') : fault.message;
  // A suggestion is made from the value, so it is kept back with it.
  const suggestion = node.secret || node.substituted ? undefined : fault.suggestion;
  const isKeptBack = (node.secret || node.substituted) && node.value !== '';
  const shown = isKeptBack ? message.replaceAll(String(node.value), node.secret ? '(hidden)' : node.source) : message;
  return report(walk, node.at, trail, `${shownValue(node)}${shown.startsWith(':') ? '' : ' '}${shown}`, { expected: fault.expected ?? expected, suggestion });
}

function wrongKind(walk: Walk, node: YamlNode, trail: Trail, expected: string | undefined): undefined {
  if (node.kind !== 'scalar') return report(walk, node.at, trail, `a ${node.kind} cannot stand here`, { expected });
  if (node.value === null) return report(walk, node.at, trail, 'has no value', { expected });
  return report(walk, node.at, trail, `${shownValue(node)} is not right`, { expected });
}

function leafStep(note: Note, { accepts, parse }: NonNullable<Note['leaf']>): Step {
  const wantsText = accepts[0] === 'string';
  return (node, trail, walk) => {
    if (node.kind !== 'scalar' || node.value === null) return wrongKind(walk, node, trail, note.expected);
    const kind = typeof node.value as 'string' | 'number' | 'boolean';
    if (!accepts.includes(kind)) {
      if (wantsText) {
        const quoted = parse(node.source as never);
        return quoted instanceof Fault ? reportFault(walk, node, trail, quoted, note.expected) : wantsQuotes(walk, node, trail);
      }
      return report(walk, node.at, trail, `${shownValue(node)} is ${node.quoted ? 'quoted text' : `a ${kind === 'string' ? 'text' : kind}`}`, { expected: note.expected, suggestion: unquoted(node, accepts) });
    }
    const value = parse(node.value as never);
    return value instanceof Fault ? reportFault(walk, node, trail, value, note.expected) : value;
  };
}

/** A bare `1.10` has lost its zero by the time it is read as a number; only its writer can say what was meant. */
function wantsQuotes(walk: Walk, written: ScalarNode, trail: Trail): undefined {
  const node = keptBack(written, trail);
  const kind = typeof node.value === 'number' ? 'a number' : `a ${typeof node.value}`;
  const suggestion = node.substituted || node.secret ? undefined : JSON.stringify(node.source);
  return report(walk, node.at, trail, `${shownValue(node)} is ${kind}, and text is wanted here`, { expected: 'text in quotes', suggestion });
}

function unquoted(node: ScalarNode, accepts: readonly string[]): string | undefined {
  if (node.substituted || node.secret) return undefined;
  if (accepts.includes('number') && /^-?[0-9]+$/.test(node.source)) return node.source;
  if (!accepts.includes('boolean')) return undefined;
  // YAML 1.1 knew more words for the two than 1.2 does.
  if (/^(true|yes|on)$/i.test(node.source)) return 'true';
  return /^(false|no|off)$/i.test(node.source) ? 'false' : undefined;
}

/** For schemas of other folders, which speak plain zod. */
function zodStep(schema: AnySchema, note: Note): Step {
  return (node, trail, walk) => {
    if (node.kind !== 'scalar') return wrongKind(walk, node, trail, note.expected);
    const quick = runQuickly(schema, node.value);
    if (!(quick instanceof Refusal)) return quick;
    const result = z.safeParse(schema, node.value);
    if (result.success) return result.data;
    if (node.value === null) return wrongKind(walk, node, trail, note.expected);
    const { fault, wantsText } = problemOfIssue(result.error.issues[0]!);
    if (!wantsText) return reportFault(walk, node, trail, fault, note.expected);
    const quoted = z.safeParse(schema, node.source);
    if (quoted.success) return wantsQuotes(walk, node, trail);
    return reportFault(walk, node, trail, problemOfIssue(quoted.error.issues[0]!).fault, note.expected);
  };
}

class Refusal {}
const refusal = new Refusal();
const SYNCHRONOUS: z.core.ParseContextInternal = { async: false };

/** What `safeParse` does, less the making of results and errors: half of the walk's time with 10,000 routes. */
function runQuickly(schema: AnySchema, value: unknown): unknown {
  const payload = schema._zod.run({ value, issues: [] }, SYNCHRONOUS);
  if (payload instanceof Promise) throw new Error('a schema of the config must not wait');
  return payload.issues.length === 0 ? payload.value : refusal;
}

function objectStep(schema: z.core.$ZodObject, note: Note): Step {
  const { shape, catchall, checks } = schema._zod.def;
  const keys = Object.entries(shape).map(([key, value]) => {
    const absent = z.safeParse(value, undefined);
    return { key, step: stepOf(value), absent: absent.success ? { value: absent.data } : null, expected: expectedOf(value) };
  });
  const known = new Map(keys.map((entry) => [entry.key, entry]));
  const isOpen = catchall !== undefined && catchall._zod.def.type !== 'never';
  const runChecks = checksStep(checks as readonly z.core.$ZodCheck<unknown>[] | undefined);
  return (node, trail, walk) => {
    if (node.kind !== 'map') return wrongKind(walk, node, trail, note.expected ?? 'a map');
    const errorsBefore = walk.errorCount;
    const result: Record<string, unknown> = {};
    let presentCount = 0;
    for (const { key, step, absent, expected } of keys) {
      const entry = node.entries.get(key);
      if (entry !== undefined) {
        presentCount++;
        result[key] = step(entry.value, new Trail(trail, key), walk);
      } else if (absent !== null) result[key] = absent.value;
      else report(walk, node.at, trail, `\`${key}\` is missing`, { expected });
    }
    if (presentCount !== node.entries.size) {
      for (const [key, entry] of node.entries) {
        if (known.has(key)) continue;
        if (isOpen) result[key] = plainValue(entry.value);
        else unknownKey(walk, key, entry, trail, known.keys(), note);
      }
    }
    if (runChecks !== null && walk.errorCount === errorsBefore) runChecks(result, node, trail, walk);
    return result;
  };
}

function unknownKey(walk: Walk, key: string, entry: MapEntry, trail: Trail, known: Iterable<string>, note: Note): void {
  const names = [...known];
  if (note.unfit?.keys.includes(key) === true) report(walk, entry.keyAt, trail, `\`${key}\` ${note.unfit.message}`, { expected: `one of ${names.join(', ')}` });
  else if (note.later?.includes(key) === true) report(walk, entry.keyAt, trail, `\`${key}\` is not built yet`, { expected: `one of ${names.join(', ')}` });
  else report(walk, entry.keyAt, trail, `unknown key \`${key}\``, { expected: `one of ${names.join(', ')}`, suggestion: nearest(key, names) ?? undefined });
}

/** Rules over several keys: zod's own checks, run on the finished map. */
function checksStep(checks: readonly z.core.$ZodCheck<unknown>[] | undefined): ((value: unknown, node: YamlNode, trail: Trail, walk: Walk) => void) | null {
  if (checks === undefined || checks.length === 0) return null;
  const checked = z.any().check(...checks);
  return (value, node, trail, walk) => {
    if (!(runQuickly(checked, value) instanceof Refusal)) return;
    const result = checked.safeParse(value);
    if (result.success) return;
    for (const issue of result.error.issues) {
      const { fault } = problemOfIssue(issue);
      let place = trail;
      for (const step of issue.path) place = new Trail(place, typeof step === 'number' ? step : String(step));
      report(walk, nodeAt(node, issue.path as (string | number)[]).at, place, fault.message, fault);
    }
  };
}

function recordStep(schema: z.core.$ZodRecord): Step {
  const { keyType, valueType } = schema._zod.def;
  const keyStep = stepOf(keyType);
  const valueStep = stepOf(valueType);
  return (node, trail, walk) => {
    if (node.kind !== 'map') return wrongKind(walk, node, trail, 'a map');
    // Without a prototype `__proto__` is a name like any other.
    const result = Object.create(null) as Record<string, unknown>;
    for (const [key, { keyAt, value }] of node.entries) {
      keyStep({ kind: 'scalar', at: keyAt, value: key, source: key, quoted: false, substituted: false, secret: false }, trail, walk);
      result[key] = valueStep(value, new Trail(trail, key), walk);
    }
    return result;
  };
}

function arrayStep(schema: z.core.$ZodArray, note: Note): Step {
  const { element, checks } = schema._zod.def;
  const step = stepOf(element);
  const runChecks = checksStep(checks as readonly z.core.$ZodCheck<unknown>[] | undefined);
  return (node, trail, walk) => {
    if (node.kind !== 'list') return wrongKind(walk, node, trail, note.expected ?? 'a list');
    const result = node.items.map((item, index) => step(item, new Trail(trail, index), walk));
    runChecks?.(result, node, trail, walk);
    return result;
  };
}

function oneOrManyStep(item: AnySchema, list: AnySchema, note: Note): Step {
  const itemStep = stepOf(item);
  const listStep = stepOf(list);
  return (node, trail, walk) => {
    if (node.kind === 'list') return listStep(node, trail, walk);
    if (node.kind === 'scalar' && node.value === null) return wrongKind(walk, node, trail, note.expected);
    const value = itemStep(node, trail, walk);
    return value === undefined ? undefined : [value];
  };
}

/** The input of a transform is walked, so that faults in it have their own positions. */
function pipeStep(input: AnySchema, output: AnySchema): Step {
  const step = stepOf(input);
  return (node, trail, walk) => {
    const errorsBefore = walk.errorCount;
    const value = step(node, trail, walk);
    if (walk.errorCount !== errorsBefore) return undefined;
    const quick = runQuickly(output, value);
    if (!(quick instanceof Refusal)) return quick;
    const result = z.safeParse(output, value);
    if (result.success) return result.data;
    const { fault } = problemOfIssue(result.error.issues[0]!);
    return node.kind === 'scalar' ? reportFault(walk, node, trail, fault, undefined) : report(walk, node.at, trail, fault.message, fault);
  };
}

function nullableStep(step: Step): Step {
  return (node, trail, walk) => (node.kind === 'scalar' && node.value === null ? null : step(node, trail, walk));
}

function isNullable(schema: AnySchema): boolean {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  return def.type === 'nullable' || ('innerType' in def && isNullable(def.innerType));
}

type Kind = 'scalar' | 'map' | 'list';

/** What of YAML a schema takes. */
function kindOf(schema: AnySchema): Kind | 'several' {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case 'object':
    case 'record':
      return 'map';
    case 'array':
      return 'list';
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
      return kindOf(def.innerType);
    case 'pipe':
      return kindOf(def.in);
    case 'union': {
      const kinds = new Set(def.options.map(kindOf));
      return kinds.size === 1 ? [...kinds][0]! : 'several';
    }
    default:
      return 'scalar';
  }
}

function takes(schema: AnySchema, kind: Kind): boolean {
  const own = kindOf(schema);
  if (own !== 'several') return own === kind;
  let inner = schema as z.core.$ZodTypes;
  while ('in' in inner._zod.def || 'innerType' in inner._zod.def) {
    const { def } = inner._zod;
    inner = ('in' in def ? def.in : (def as { innerType: AnySchema }).innerType) as z.core.$ZodTypes;
  }
  return inner._zod.def.type === 'union' && inner._zod.def.options.some((option) => takes(option, kind));
}

function unionStep(schema: z.core.$ZodUnion, note: Note): Step {
  const { options } = schema._zod.def;
  const of = (kind: Kind): Step[] => options.filter((option) => takes(option, kind)).map(stepOf);
  const list = of('list')[0];
  const maps = of('map');
  const scalars = options.filter((option) => takes(option, 'scalar'));
  const scalarStep = scalars.length === 0 ? null : scalars.length === 1 ? stepOf(scalars[0]!) : zodStep(z.union(scalars as [AnySchema, AnySchema]), note);
  const mapStep = note.choose === undefined ? maps[0] : chooseStep(note.choose);
  const { longForm } = note;
  return (node, trail, walk) => {
    if (node.kind === 'list') {
      if (list !== undefined) return list(node, trail, walk);
    } else if (node.kind === 'map') {
      if (mapStep !== undefined) return mapStep(node, trail, walk);
    } else if (node.value !== null) {
      if (longForm !== undefined && mapStep !== undefined) {
        const long: MapNode = { kind: 'map', at: node.at, entries: new Map([[longForm, { keyAt: node.at, value: node }]]) };
        return mapStep(long, trail.shortFor(longForm), walk);
      }
      if (scalarStep !== null) return scalarStep(node, trail, walk);
    }
    return wrongKind(walk, node, trail, note.expected);
  };
}

function chooseStep(choose: NonNullable<Note['choose']>): Step {
  return (node, trail, walk) => {
    if (node.kind !== 'map') return wrongKind(walk, node, trail, 'a map');
    const chosen = choose((key) => {
      const value = node.entries.get(key)?.value;
      return value === undefined ? undefined : value.kind === 'scalar' ? value.value : null;
    });
    if (!('fault' in chosen)) return stepOf(chosen)(node, trail, walk);
    const entry = node.entries.get(chosen.key)?.value;
    if (entry?.kind === 'scalar') return reportFault(walk, entry, new Trail(trail, chosen.key), chosen.fault, undefined);
    return report(walk, (entry ?? node).at, trail, chosen.fault.message, chosen.fault);
  };
}

function expectedOf(schema: AnySchema): string | undefined {
  const own = noteOf(schema).expected;
  const { def } = (schema as z.core.$ZodTypes)._zod;
  return own ?? ('innerType' in def ? expectedOf(def.innerType) : undefined);
}

/** A tree as the plain values it stands for. */
export function plainValue(node: YamlNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(plainValue);
  return Object.fromEntries([...node.entries].map(([key, entry]) => [key, plainValue(entry.value)]));
}
