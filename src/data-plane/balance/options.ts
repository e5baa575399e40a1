/** Pieces that options schemas of several algorithms share. What they yield is plain data: it travels in a snapshot. */
import { z } from 'zod';
import { DURATION_PATTERN, durationMs } from '../../base/duration.ts';

/** A duration as text, above zero → milliseconds. Give its default with `prefault`, so that the schema shows it as written. */
export function durationOption(): z.ZodPipe<z.ZodString, z.ZodTransform<number, string>> {
  return z
    .string()
    .regex(DURATION_PATTERN, 'a duration such as 500ms')
    .refine((text) => (durationMs(text) ?? 0) > 0, 'a duration above zero')
    .transform((text) => durationMs(text) ?? 0);
}

export function isPrime(value: number): boolean {
  if (value < 2) return false;
  for (let divisor = 2; divisor * divisor <= value; divisor++) if (value % divisor === 0) return false;
  return true;
}
