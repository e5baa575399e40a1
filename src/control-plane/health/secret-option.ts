/**
 * Options of probe types that hold a secret, such as `password`: written in the
 * config as `file:PATH` or `${VARIABLE}`, and a text by the time `probe` gets
 * it. Whatever is marked so is refused as a literal in a published config, is
 * `(hidden)` wherever a config is shown, and is in no check's name. A probe must
 * put it in no reason.
 *
 *   password: secretOption('Password of the user.')   // string; '' when absent
 */
import { z } from 'zod';

/** By definition, not by schema: zod's `describe` clones a schema but keeps its definition. */
const marked = new WeakSet<object>();

/** Text up to 64 KiB, as secrets' files are; absent: ''. */
export function secretOption(description: string): z.ZodDefault<z.ZodString> {
  const schema = z.string().default('');
  marked.add(schema._zod.def);
  return schema.describe(description);
}

/** The same for one that its probe must be able to tell from an empty one, or that came later than others of its type: it has no default. */
export function optionalSecret(description: string): z.ZodOptional<z.ZodString> {
  const schema = z.string().optional();
  marked.add(schema._zod.def);
  return schema.describe(description);
}

export function isSecretOption(schema: z.core.$ZodType): boolean {
  return marked.has(schema._zod.def);
}
