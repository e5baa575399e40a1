import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reasonText } from '../../../src/control-plane/health/reason-text.ts';
import { BadAnswer, compute, exactly, failed, framed, line, read, say, type Talk } from '../../../src/control-plane/health/talk-script.ts';
import { piecesOf, runOverSplits, runScript } from '../../support/script-runs.ts';

/** A protocol with all there is: a greeting line, messages with a length, work, and an end that is a byte. */
function* script(): Talk {
  const greeting = yield* read(line(20));
  yield* say(`you said ${greeting.toString('latin1').trim()}\n`);
  const message = yield* read(framed(2, 100, (bytes) => 2 + bytes.readUInt16BE(0)));
  const sum = yield* compute({ later: () => Promise.resolve(0), now: () => message.subarray(2).reduce((total, byte) => total + byte, 0) });
  yield* say(`${sum}\n`);
  const last = yield* read(exactly(1), 'never said how it is');
  if (last[0] === 0x2b) return { passed: true, goodbye: Buffer.from('bye') };
  if (last[0] === 0x2d) return failed('it is not well');
  throw new BadAnswer('neither + nor -');
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('a script', () => {
  it.each([
    { text: 'hi\n\0\x02ab+', end: 'passed', said: 'you said hi\n195\nbye' },
    { text: 'hi\n\0\x02ab-and more', end: 'it is not well', said: 'you said hi\n195\n' },
    { text: 'hi\n\0\x02ab?', end: 'neither + nor -', said: 'you said hi\n195\n' },
    { text: 'hi\n\0\x63', end: 'malformed answer: a message of 101 bytes', said: 'you said hi\n' },
    { text: 'a line without an end', end: 'malformed answer: a line has no end', said: '' },
    { text: 'hi\n\0\x02ab', end: 'waits', said: 'you said hi\n195\n' },
    { text: '', end: 'waits', said: '' },
  ])('comes to the same for each split of $text: $end', ({ text, end, said }) => {
    expect(runOverSplits(script, bytes(text))).toEqual({ end, said });
  });

  it.each([
    { text: '', reason: 'closed before it answered' },
    { text: 'h', reason: 'closed in the middle of its answer' },
    { text: 'hi\n', reason: 'closed before it answered' },
    { text: 'hi\n\0\x02a', reason: 'closed in the middle of its answer' },
    { text: 'hi\n\0\x02ab', reason: 'never said how it is' },
    { text: 'hi\n\0\x02ab+', reason: 'passed' },
  ])('of a backend that closes after $text ends so: $reason', ({ text, reason }) => {
    expect(runOverSplits(script, bytes(text), { closes: true }).end).toBe(reason);
  });

  it('comes to the same for any bytes in any pieces', () => {
    const texts = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 5 }).map((tail) => Buffer.concat([bytes('hi\n\0\x02ab'), tail])));
    fc.assert(fc.property(texts, fc.boolean(), (all, closes) => void runOverSplits(script, Buffer.from(all), { closes })));
  });

  it('gets no more than its bytes, and what decides within them counts', () => {
    function* untilEnd(): Talk {
      while ((yield* read(line(8))).toString('latin1') !== 'end\n');
      return { passed: true };
    }
    for (const pieceBytes of [1, 3, 1000]) {
      expect(runScript(untilEnd(), piecesOf(bytes(`${'x\n'.repeat(50)}end\n`), pieceBytes), { bytesMax: 104 }).end).toBe('passed');
      expect(runScript(untilEnd(), piecesOf(bytes(`${'x\n'.repeat(50)}end\n`), pieceBytes), { bytesMax: 103 }).end).toBe('answer is larger than 103 bytes');
    }
  });

  it('may read very many messages at once', () => {
    function* all(): Talk {
      for (let i = 0; i < 60_000; i++) yield* read(exactly(1));
      return { passed: true };
    }
    expect(runScript(all(), [Buffer.alloc(60_000)]).end).toBe('passed');
  });
});

describe('a reason', () => {
  it('is one line, short, without the secrets that the backend repeats', () => {
    expect(reasonText('answered', "ERR unknown command 'AUTH'\r\nwith args 's3cret' and 's3'", ['s3', 's3cret', ''])).toBe("answered ERR unknown command 'AUTH' with args '***' and '***'");
    expect(reasonText('x\u0000\u001b[31my\u0085z\u2028')).toBe('x [31my z');
    expect(reasonText('answered', 'y'.repeat(500))).toHaveLength(121);
  });

  it('shows no secret that is one of our own words by its gap', () => {
    expect(reasonText('password is wrong', 'wrong', ['wrong'])).toBe('password is wrong ***');
  });

  it('holds no part of a secret that it is cut in', () => {
    expect(reasonText('x'.repeat(114), 'password', ['password'])).toBe(`${'x'.repeat(114)} ***`);
  });
});
