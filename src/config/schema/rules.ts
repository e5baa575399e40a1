/** Rules over several keys of one map, for use in zod's `check`: each failed rule is one issue at one key. */
import { z } from 'zod';

type Context<T> = z.core.ParsePayload<T>;

export interface RuleHints {
  readonly expected?: string;
  readonly suggestion?: string;
}

/** Reports `message` at `path` (below the map); an empty path is the map itself. */
export function broken(context: Context<unknown>, path: readonly (string | number)[], message: string, hints: RuleHints = {}): void {
  context.issues.push({ code: 'custom', path: [...path], message, params: { ...hints }, input: context.value });
}

/** Exactly one of `keys` must be there. */
export function exactlyOne<T extends object>(...keys: readonly (keyof T & string)[]): (context: Context<T>) => void {
  return (context) => {
    const there = keys.filter((key) => context.value[key] !== undefined);
    if (there.length === 1) return;
    const expected = `exactly one of ${keys.join(', ')}`;
    if (there.length === 0) broken(context, [], `has none of ${keys.join(', ')}`, { expected });
    else broken(context, [there[1]!], `stands beside ${there[0]}`, { expected });
  };
}

/** `key` must not stand beside any of `others`. */
export function notBeside<T extends object>(key: keyof T & string, ...others: readonly (keyof T & string)[]): (context: Context<T>) => void {
  return (context) => {
    if (context.value[key] === undefined) return;
    for (const other of others) if (context.value[other] !== undefined) broken(context, [other], `stands beside ${key}`, { expected: `either ${key} or ${other}` });
  };
}

/** A map of our own keys around the options of a plug-in, whose rules go on to hold. */
export function mapWithOptions(before: z.ZodRawShape, options: z.ZodObject, after: z.ZodRawShape = {}): z.ZodObject {
  const map = z.strictObject({ ...before, ...options.shape, ...after });
  const rules = (options._zod.def.checks ?? []) as unknown as readonly z.core.$ZodCheck<unknown>[];
  return rules.length === 0 ? map : map.check(...rules);
}
