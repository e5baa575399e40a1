/** One step from an input to another: bytes flipped, pieces put in, lines doubled or taken out, two inputs spliced. */
import type { Random } from '../../src/base/random.ts';

type Mutation = (text: string, random: Random, tokens: readonly string[], other: string) => string;

const STEPS_MAX = 4;

function put(text: string, at: number, taken: number, piece: string): string {
  return text.slice(0, at) + piece + text.slice(at + taken);
}

function linesOf(text: string): string[] {
  return text.split(/(?<=\n)/);
}

const mutations: readonly Mutation[] = [
  // a bit, a byte
  (text, random) => {
    const at = random.below(text.length);
    return put(text, at, 1, String.fromCharCode((text.charCodeAt(at) || 0) ^ (1 << random.below(8))));
  },
  (text, random) => put(text, random.below(text.length), 1, String.fromCharCode(random.below(256))),
  (text, random) => put(text, random.below(text.length + 1), 0, String.fromCharCode(random.below(256))),
  (text, random) => put(text, random.below(text.length), 1 + random.below(3), ''),
  // a token put in, or over what was there
  (text, random, tokens) => put(text, random.below(text.length + 1), 0, tokens[random.below(tokens.length)]!),
  (text, random, tokens) => put(text, random.below(text.length), 1 + random.below(8), tokens[random.below(tokens.length)]!),
  // a token where a line begins
  (text, random, tokens) => {
    const lines = linesOf(text);
    lines.splice(random.below(lines.length + 1), 0, tokens[random.below(tokens.length)]!);
    return lines.join('');
  },
  // a line doubled, taken out, moved
  (text, random) => {
    const lines = linesOf(text);
    const at = random.below(lines.length);
    lines.splice(random.below(lines.length + 1), 0, lines[at]!);
    return lines.join('');
  },
  (text, random) => {
    const lines = linesOf(text);
    lines.splice(random.below(lines.length), 1);
    return lines.join('');
  },
  (text, random) => {
    const lines = linesOf(text);
    const [line] = lines.splice(random.below(lines.length), 1);
    lines.splice(random.below(lines.length + 1), 0, line ?? '');
    return lines.join('');
  },
  // case
  (text, random) => {
    const at = random.below(text.length);
    const piece = text.slice(at, at + 1 + random.below(12));
    return put(text, at, piece.length, random.below(2) === 0 ? piece.toUpperCase() : piece.toLowerCase());
  },
  // a run doubled many times: limits
  (text, random) => {
    const at = random.below(text.length);
    const piece = text.slice(at, at + 1 + random.below(4));
    return put(text, at, 0, piece.repeat(1 << random.below(8)));
  },
  // cut off, and spliced with another
  (text, random) => text.slice(0, random.below(text.length + 1)),
  (text, random, _tokens, other) => text.slice(0, random.below(text.length + 1)) + other.slice(random.below(other.length + 1)),
  (text, random, _tokens, other) => {
    const lines = linesOf(text);
    const others = linesOf(other);
    lines.splice(random.below(lines.length + 1), 0, others[random.below(others.length)]!);
    return lines.join('');
  },
];

/** One to STEPS_MAX mutations of `text`; never longer than `bytesMax`. */
export function mutate(text: string, other: string, tokens: readonly string[], bytesMax: number, random: Random): string {
  let mutated = text;
  for (let steps = 1 + random.below(STEPS_MAX); steps > 0; steps--) {
    mutated = mutations[random.below(mutations.length)]!(mutated, random, tokens, other).slice(0, bytesMax);
  }
  // Case mapping leaves latin1 for "ÿ" and "µ".
  return mutated.replaceAll(/[^\0-\xff]/g, '?');
}
