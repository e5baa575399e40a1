import fc from 'fast-check';
import { expect, it } from 'vitest';
import { closeRequestHead, fields, giveHeadBack, keepHead, keptLength } from '../../../src/data-plane/listen/http2-request-head.ts';

const limits = { headerBytesMax: 0, headerCountMax: 0 };
const whole = { isRemoteEnded: true, isWebSocket: false, hasLength: false, upload: { dataBytes: 0 } };

function put(name: string, value: string): void {
  const bytes = Buffer.from(name + value, 'latin1');
  fields.onField(bytes, 0, name.length, bytes, name.length, bytes.length);
}

/** The request with these values, as its stream keeps it. */
function take(path: string, values: readonly string[]): { head: Buffer; length: number; text: string } {
  fields.begin(limits, false);
  for (const [name, value] of [[':method', 'GET'], [':scheme', 'http'], [':path', path], [':authority', 'a.example']] as const) put(name, value);
  for (const value of values) put('x-value', value);
  fields.finish();
  return { head: keepHead(), length: keptLength(), text: `GET ${path} HTTP/1.1\r\nHost: a.example\r\n${values.map((value) => `x-value: ${value}\r\n`).join('')}` };
}

/** Small, near the size of the buffers that go round, and over it. */
const anyValue = fc.oneof(fc.nat(60), fc.integer({ min: 1900, max: 2100 }), fc.integer({ min: 7000, max: 20_000 })).map((length) => 'v'.repeat(length));

it('a head that is kept stays as it is, whatever is taken and given back meanwhile', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.array(anyValue, { maxLength: 2 }), fc.integer({ min: -1, max: 5 }), fc.boolean()), { maxLength: 25 }), (turns) => {
      const kept: { head: Buffer; length: number; text: string }[] = [];
      for (const [turn, [values, gone, isTrailer]] of turns.entries()) {
        // A block of which nothing is kept.
        if (isTrailer) {
          fields.begin(limits, true);
          for (const value of values) put('x-trailer', value);
          fields.finish();
        } else kept.push(take(`/${turn}`, values));
        const [given] = gone === -1 ? [] : kept.splice(gone, 1);
        if (given !== undefined) giveHeadBack(given.head);
        for (const { head, length, text } of kept) expect(head.toString('latin1', 0, length)).toBe(text);
      }
      for (const { head, length, text } of kept) {
        // There is room for what closes it.
        const end = closeRequestHead(head, length, whole);
        expect(head.toString('latin1', 0, end)).toBe(`${text}\r\n`);
        giveHeadBack(head);
      }
    }),
    { numRuns: 300 },
  );
});
