/**
 * A config's text without its secrets. `file:` and `${}` keep secrets out of
 * the text; who wrote one into it all the same shall not find it in an answer,
 * least of all one given to a token that may only read. What is masked: the
 * values in force, wherever they stand, and whatever follows keys that hold
 * secrets.
 */
import { yieldToLoop } from '../../base/clock.ts';

const MASK = '"***"';
const SLICE_CHARS = 256 * 1024;

/** A scalar behind a secret's key, flow or block style, quoted or not; a reference is no secret and stays. */
const SECRET_KEYS = /((?:^|[\s{,"'])(?:token|readToken|password)["']?[ \t]*:[ \t]+)(?!file:|["']file:|\$\{|["']\$\{|none\b)("(?:[^"\\\n]|\\.)*"|'(?:[^'\n]|'')*'|[^\s,}\]#][^,}\]\n]*)/gm;

/** Text in slices of whole lines, with a turn of the loop between them. */
export async function* maskedText(text: string, secrets: readonly string[]): AsyncGenerator<string, void> {
  for (let start = 0; start < text.length; ) {
    const lineEnd = text.indexOf('\n', start + SLICE_CHARS);
    const end = lineEnd === -1 ? text.length : lineEnd + 1;
    let slice = text.slice(start, end).replace(SECRET_KEYS, (_all, key: string) => `${key}${MASK}`);
    for (const secret of secrets) if (secret !== '') slice = slice.replaceAll(secret, '***');
    yield slice;
    start = end;
    await yieldToLoop();
  }
}
