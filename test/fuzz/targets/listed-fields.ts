/** An input as a list of fields, for what is given fields and not lines. */

export type Field = readonly [name: string, value: string];

/** One from each piece between two NULs, its name up to the first "=". Bytes that would be line ends elsewhere stand for themselves. */
export function fieldsOf(input: Buffer): Field[] {
  return input
    .toString('latin1')
    .split('\x00\x00')
    .filter((line) => line !== '')
    .map((line) => [line.slice(0, line.indexOf('=') === -1 ? undefined : line.indexOf('=')), line.indexOf('=') === -1 ? '' : line.slice(line.indexOf('=') + 1)]);
}
