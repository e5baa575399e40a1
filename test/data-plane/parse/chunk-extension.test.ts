import fc from 'fast-check';
import { expect, it } from 'vitest';
import { EXTENSION, nextInExtension } from '../../../src/data-plane/parse/chunk-extension.ts';

/** RFC 9112 §7.1.1, behind the first semicolon, with the line's CR. */
const GRAMMAR = (() => {
  const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
  const quoted = '"(?:[\\t \\x21\\x23-\\x5B\\x5D-\\x7E\\x80-\\xFF]|\\\\[\\t \\x21-\\x7E\\x80-\\xFF])*"';
  const member = `[\\t ]*${token}(?:[\\t ]*=[\\t ]*(?:${token}|${quoted}))?`;
  return new RegExp(`^${member}(?:[\\t ]*;${member})*\\r$`);
})();

function isTaken(text: string): boolean {
  let state: number = EXTENSION.beforeName;
  for (let i = 0; i < text.length; i++) {
    state = nextInExtension(state, text.charCodeAt(i));
    if (state === EXTENSION.refused) return false;
    if (state === EXTENSION.end) return i === text.length - 1;
  }
  return false;
}

it('is what the grammar says, for any bytes that could make one', () => {
  const piece = fc.constantFrom('a', 'b1', '=', '=', ';', '"', '"', '\\', ' ', '\t', '"x"', '=y', ',', '\x7f', '\x01', '\xe9', '\n', '\r');
  const text = fc.array(piece, { maxLength: 12 }).map((pieces) => `${pieces.join('')}\r`);
  let taken = 0;
  fc.assert(
    fc.property(text, (extension) => {
      const isExpected = GRAMMAR.test(extension);
      if (isExpected) taken++;
      expect(isTaken(extension)).toBe(isExpected);
    }),
    { numRuns: 20_000 },
  );
  expect(taken).toBeGreaterThan(100);
});

it('takes long ones of every kind', () => {
  for (const extension of ['a', 'a=b', ' a = "b c" ; d', 'a="\\""', 'a="\\\\";b', 'a=""', "!#$%&'*+-.^_`|~=1"]) expect(isTaken(`${extension}\r`), extension).toBe(true);
});
