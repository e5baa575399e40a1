/** Words that say nothing about what a thing is: not in the names of files, nor in names declared in code. */

const BANNED = new Set(['util', 'utils', 'helper', 'helpers', 'common', 'misc', 'manager', 'service', 'data', 'info']);

/** `data-plane` is a plane's name. Node's own names (`workerData`) are not ours to choose. */
const ALLOWED_PAIRS = [/data-plane/g, /dataPlane/gi, /workerData/g];

/** The banned word in a kebab-case path or camelCase name; null: none. */
export function bannedWord(name: string): string | null {
  const ours = ALLOWED_PAIRS.reduce((text, pattern) => text.replace(pattern, ''), name);
  const words = ours.replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase().split(/[^a-z0-9]+/);
  return words.find((word) => BANNED.has(word)) ?? null;
}
