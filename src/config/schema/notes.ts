/**
 * What a zod schema of ours says beside zod's own words: how a scalar is read,
 * what a message should call it, which keys come with later work. The walk
 * (check-schema.ts), the JSON Schema and the reference page read the notes.
 */
import type { z } from 'zod';

/** Why a value is not right. The message is a predicate: the walk puts the value before it. */
export class Fault {
  readonly message: string;
  readonly expected: string | undefined;
  readonly suggestion: string | undefined;

  constructor(message: string, hints: { expected?: string; suggestion?: string | null } = {}) {
    this.message = message;
    this.expected = hints.expected;
    this.suggestion = hints.suggestion ?? undefined;
  }
}

export type ScalarValue = string | number | boolean;
export type ScalarKind = 'string' | 'number' | 'boolean';

/** The scalar under a key of the map that was written; undefined: none there. */
export type ReadKey = (key: string) => string | number | boolean | null | undefined;

/** Which of a union's options a map is meant for, or what is wrong with the value under `key`. */
export type ChooseMap = (read: ReadKey) => z.core.$ZodType | { readonly fault: Fault; readonly key: string };

export interface Note {
  /** A noun phrase: `a duration such as 500ms`. */
  readonly expected?: string;
  /** How a scalar becomes a value. Without it zod itself is asked. */
  readonly leaf?: { readonly accepts: readonly ScalarKind[]; readonly parse: (value: never) => unknown };
  /** Keys of a map that have a meaning, but not in this release. */
  readonly later?: readonly string[];
  /** Keys of a map that mean something beside other values only, and why not here. */
  readonly unfit?: { readonly keys: readonly string[]; readonly message: string };
  /** For a union with more than one kind of map. */
  readonly choose?: ChooseMap;
  /** For a union: a scalar is short for a map with this key alone. */
  readonly longForm?: string;
  /** For a union of one thing and a list of it, in place of its transform: what one is, and the list. */
  readonly item?: z.core.$ZodType;
  readonly list?: z.core.$ZodType;
  /** Never shown, even if it stands in the file as it is. */
  readonly secret?: true;
  /** What stands for the value wherever it is shown. */
  readonly shown?: (value: string) => string;
  /** Shown on the reference page instead of the placeholder `NAME` for the keys of a record. */
  readonly keyName?: string;
}

/** By definition, not by schema: zod's `describe` clones a schema but keeps its definition. */
const notes = new WeakMap<object, Note>();

export function note<S extends z.ZodType>(schema: S, text: Note): S {
  notes.set(schema._zod.def, { ...notes.get(schema._zod.def), ...text });
  return schema;
}

export function noteOf(schema: z.core.$ZodType): Note {
  return notes.get(schema._zod.def) ?? {};
}

/**
 * A scalar with a reading of its own: `input` is what JSON Schema shows, `parse`
 * what counts. Plain zod and the walk call the same function.
 */
export function leaf<Input extends ScalarValue, Output>(
  input: z.ZodType<Input>,
  accepts: readonly ScalarKind[],
  expected: string,
  parse: (value: Input) => Output | Fault,
): z.ZodType<Output, Input> {
  const schema = input.transform((value, context): Output => {
    const result = parse(value);
    if (!(result instanceof Fault)) return result;
    context.issues.push({ code: 'custom', message: result.message, input: value });
    return undefined as Output;
  });
  return note(schema, { expected, leaf: { accepts, parse } }) as unknown as z.ZodType<Output, Input>;
}
