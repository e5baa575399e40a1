/** The kinds of value that many keys share: text, numbers, quantities with a unit, choices, lists of one. */
import { z } from 'zod';
import { nearest } from '../nearest.ts';
import { parseDuration, parseRate, parseShare, parseSize, type Parsed, type Rate } from '../units.ts';
import { Fault, leaf, note } from './notes.ts';

/** Timers count milliseconds in an int32: 24.8 days. */
const DURATION_MS_MAX = 24 * 86_400_000;
const INTEGER_MAX = 2 ** 31 - 1;

/** Text; `check` may refuse it with what is wrong. */
export function text(expected: string, check?: (value: string) => Fault | null): z.ZodType<string, string> {
  return leaf(z.string(), ['string'], expected, (value: string) => check?.(value) ?? value);
}

/** A whole number from `min` to `max`. */
export function whole(min: number, max = INTEGER_MAX): z.ZodType<number, number> {
  const expected = max === INTEGER_MAX ? `a whole number, ${min} or more` : `a whole number from ${min} to ${max}`;
  return leaf(z.int().min(min).max(max), ['number'], expected, (value: number) => {
    if (!Number.isInteger(value)) return new Fault('is not a whole number');
    return value < min || value > max ? new Fault(`is out of range`) : value;
  });
}

export function flag(): z.ZodType<boolean, boolean> {
  return leaf(z.boolean(), ['boolean'], 'true or false', (value: boolean) => value);
}

/** Milliseconds. `zero` says whether a bare 0 (no limit) may stand. */
export function duration(range: { zero: boolean }): z.ZodType<number, string | number> {
  const form = z.string().regex(/^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$/);
  const input = range.zero ? z.union([form, z.literal(0)]) : form;
  return leaf<string | number, number>(input, ['string', 'number'], 'a duration such as 500ms, 2s or 1m', (value) => {
    const ms = read(parseDuration(value));
    // "Only 0 needs no unit" is no advice where 0 may not stand.
    if (ms instanceof Fault) return range.zero ? ms : new Fault(ms.message, { suggestion: ms.suggestion ?? null });
    if (ms > DURATION_MS_MAX) return new Fault('is too long', { expected: 'a duration of 24d at most' });
    return ms > 0 || range.zero ? ms : new Fault('must be more than 0');
  });
}

/** Bytes; with `min` 0 a bare 0 means no limit. */
export function size(min: number, max = Number.MAX_SAFE_INTEGER): z.ZodType<number, string | number> {
  const form = z.string().regex(/^[0-9]+(\.[0-9]+)?([kKMGT]i?)?B$/);
  const input = min === 0 ? z.union([form, z.literal(0)]) : form;
  return leaf<string | number, number>(input, ['string', 'number'], 'a size such as 64KiB or 1MB', (value) => {
    const bytes = read(parseSize(value));
    if (bytes instanceof Fault) return bytes;
    return bytes < min || bytes > max ? new Fault('is out of range', { expected: `a size from ${min}B to ${max / 1024}KiB` }) : bytes;
  });
}

/** A share as 0 to 1. */
export function share(): z.ZodType<number, string | number> {
  const input = z.union([z.string().regex(/^[0-9]+(\.[0-9]+)?%$/), z.literal(0)]);
  return leaf<string | number, number>(input, ['string', 'number'], 'a share such as 20%', (value) => read(parseShare(value)));
}

/** What a bucket can count: it is refilled once a millisecond. */
const RATE_PER_SECOND_MAX = 1_000_000;

/** A whole number in a second, a minute or an hour; never 0, which would be no limit where one is asked for. */
export function rate(): z.ZodType<Rate, string> {
  const form = z.string().regex(/^[0-9]+\/(s|m|h)$/);
  return leaf<string, Rate>(form, ['string', 'number'], 'a rate such as 100/s, 10/m or 5/h', (value) => {
    const parsed = read(parseRate(value));
    if (parsed instanceof Fault) return parsed;
    if (!Number.isInteger(parsed.count)) return new Fault('is not a whole number in its time', { expected: 'a whole number per s, m or h, such as 5/h' });
    if (parsed.count === 0) return new Fault('must be more than 0');
    return (parsed.count * 1000) / parsed.periodMs <= RATE_PER_SECOND_MAX ? parsed : new Fault('is too much', { expected: `a rate of ${RATE_PER_SECOND_MAX}/s at most` });
  });
}

function read<T>(parsed: Parsed<T>): T | Fault {
  return parsed.ok ? parsed.value : new Fault(parsed.message, parsed);
}

/** One of some words; `later` are words that will be, in other work. */
export function choice<const T extends string>(values: readonly T[], later: readonly string[] = []): z.ZodType<T, T> {
  const read = readChoice(values, later);
  return leaf<T, T>(z.enum(values), ['string'], alternatives(values), read);
}

/** A choice with `off` among its words; false is the same, since YAML 1.1 tools rewrite it so. */
export function choiceOrOff<const T extends string>(values: readonly T[], later: readonly string[] = []): z.ZodType<T | 'off', T | 'off' | false> {
  const words: readonly (T | 'off')[] = ['off', ...values];
  const read = readChoice(words, later);
  const input = z.union([z.enum(words), z.literal(false)]);
  return leaf<T | 'off' | false, T | 'off'>(input, ['string', 'boolean'], alternatives(words), (value) => read(value === false ? 'off' : value));
}

function readChoice<T extends string>(values: readonly T[], later: readonly string[]): (value: string) => T | Fault {
  const known = new Map<string, T>(values.map((value) => [value, value]));
  return (value) => {
    const found = known.get(value);
    if (found !== undefined) return found;
    if (later.includes(value)) return new Fault('is not built yet');
    return new Fault('is not known here', { suggestion: nearest(String(value), values) });
  };
}

export function alternatives(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

/** `off`, or false, beside a map. */
export function off(expected: string): z.ZodType<'off', 'off' | false> {
  const input = z.union([z.literal('off'), z.literal(false)]);
  return leaf<'off' | false, 'off'>(input, ['string', 'boolean'], expected, (value) => (value === 'off' || value === false ? 'off' : new Fault('is not right')));
}

/** A value or a list of them; always a list in the result. */
export function oneOrMany<Output, Input>(item: z.ZodType<Output, Input>, expected: string): z.ZodType<Output[], Input | Input[]> {
  const one = item.transform((value) => [value]);
  const list = z.array(item).min(1);
  return note(z.union([one, list]), { expected, item, list });
}

/** What a name of ours looks like; it stands in metrics labels, URLs and file names. */
const NAME = /^[A-Za-z0-9._-]{1,63}$/;

/** Name of a listener, route, pool or tier. */
export function name(): z.ZodType<string, string> {
  return leaf(z.string().regex(NAME), ['string'], 'a name of letters, digits, ".", "_" and "-", 63 at most', (value: string) => (NAME.test(value) ? value : new Fault('is not a name')));
}
