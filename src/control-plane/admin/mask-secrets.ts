/**
 * A config's text without its secrets, which an answer must not hold, least of
 * all one given to a token that may only read. What is masked: the values in
 * force, wherever they stand, and whatever follows keys that hold secrets.
 */
import { yieldToLoop } from '../../base/clock.ts';
import { maskSecrets } from '../../shared/secret-text.ts';

const MASK = '"***"';
const SLICE_CHARS = 256 * 1024;

/** Text in slices of whole lines, with a turn of the loop between them. */
export async function* maskedText(text: string, secrets: readonly string[]): AsyncGenerator<string, void> {
  for (let start = 0; start < text.length; ) {
    const lineEnd = text.indexOf('\n', start + SLICE_CHARS);
    const end = lineEnd === -1 ? text.length : lineEnd + 1;
    let slice = maskSecrets(text.slice(start, end), () => MASK);
    for (const secret of secrets) if (secret !== '') slice = slice.replaceAll(secret, '***');
    yield slice;
    start = end;
    await yieldToLoop();
  }
}
