/** The conversation with a MongoDB member, over bytes as the protocol's documents have them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mongodbScript } from '../../../src/control-plane/health/mongodb-probe.ts';
import { bool, document, double, int32, opMsg, primaryFields, text } from '../../support/mongodb-bytes.ts';
import { runOverSplits, runScript } from '../../support/script-runs.ts';

const ok = double('ok', 1);
const primary = opMsg(document(primaryFields));

function endOf(answer: Buffer, role?: string): string {
  return runOverSplits(() => mongodbScript({ role }), answer, { closes: true }).end;
}

function ofFields(fields: readonly Buffer[], role?: string): string {
  return endOf(opMsg(document(fields)), role);
}

it('asks { hello: 1, $db: "admin" } as OP_MSG', () => {
  const { said } = runScript(mongodbScript({}), []);
  expect(Buffer.from(said, 'latin1').toString('hex')).toBe(
    '34000000' + '01000000' + '00000000' + 'dd070000' + '00000000' + '00' + '1f000000' + '1068656c6c6f0001000000' + '02246462000600000061646d696e00' + '00',
  );
});

describe('what it is', () => {
  it.each([
    ['a primary', primaryFields, 'passed', 'passed'],
    ['a lone server, and a mongos', [bool('isWritablePrimary', true), text('msg', 'isdbgrid'), ok], 'passed', 'passed'],
    ['a secondary', [bool('isWritablePrimary', false), bool('secondary', true), text('setName', 'rs0'), ok], 'passed', 'is a secondary'],
    ['an arbiter', [bool('isWritablePrimary', false), bool('secondary', false), bool('arbiterOnly', true), text('setName', 'rs0'), ok], 'is an arbiter', 'is an arbiter'],
    ['not initiated', [bool('isWritablePrimary', false), bool('secondary', false), bool('isreplicaset', true), ok], 'its replica set is not initiated', 'its replica set is not initiated'],
    ['starting', [bool('isWritablePrimary', false), bool('secondary', false), text('setName', 'rs0'), ok], 'is neither primary nor secondary: it starts, recovers, or was removed', 'is neither primary nor secondary: it starts, recovers, or was removed'],
    ['without any sign', [ok], 'is no primary', 'is no primary'],
    ['too old for hello', [double('ok', 0), text('errmsg', 'no such command: hello'), int32('code', 59), text('codeName', 'CommandNotFound')], 'refused hello: no such command: hello (CommandNotFound)', 'refused hello: no such command: hello (CommandNotFound)'],
    ['refusing by number', [double('ok', 0), int32('code', 91)], 'refused hello: no reason given (91)', 'refused hello: no reason given (91)'],
    ['ok as an integer', [bool('isWritablePrimary', true), int32('ok', 1)], 'passed', 'passed'],
  ])('%s', (_what, fields, asMember, asPrimary) => {
    expect(ofFields(fields)).toBe(asMember);
    expect(ofFields(fields, 'primary')).toBe(asPrimary);
  });
});

describe('an answer that is none', () => {
  it.each([
    ['nothing', Buffer.alloc(0), 'closed before it answered'],
    ['cut short', primary.subarray(0, 50), 'closed in the middle of its answer'],
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'malformed answer: a message of 1347703880 bytes'],
    ['a negative length', Buffer.concat([Buffer.from('ffffffff', 'hex'), primary.subarray(4)]), 'malformed answer: a message of 4294967295 bytes'],
    ['a length below its head', Buffer.concat([Buffer.from('0f000000', 'hex'), primary.subarray(4)]), 'malformed answer: a message of 15 bytes'],
    ['OP_REPLY', opMsg(document([ok]), { opcode: 1 }), 'malformed answer: not OP_MSG'],
    ['to another request', opMsg(document([ok]), { responseTo: 2 }), 'malformed answer: to another request'],
    ['with a checksum', opMsg(document([ok]), { flags: 1 }), 'malformed answer: not one document'],
    ['a sequence', opMsg(document([ok]), { kind: 1 }), 'malformed answer: not one document'],
    ['a head alone', opMsg(Buffer.alloc(0)), 'malformed answer: not BSON'],
    ['more than its document', opMsg(Buffer.concat([document([ok]), Buffer.alloc(1)])), 'malformed answer: not BSON'],
    ['a field cut short', opMsg(document([Buffer.from('\x01ok\0\0\0', 'latin1')])), 'malformed answer: not BSON'],
    ['a text beyond its end', opMsg(document([Buffer.from('\x02a\0\xff\xff\xff\x7f', 'latin1')])), 'malformed answer: not BSON'],
    ['a text of negative length', opMsg(document([Buffer.from('\x02a\0\xff\xff\xff\xff\0', 'latin1')])), 'malformed answer: not BSON'],
    ['a field of no type', opMsg(document([Buffer.from('\x20a\0', 'latin1')])), 'malformed answer: not BSON'],
    ['a name without end', opMsg(document([Buffer.from('\x0aaaaa', 'latin1')])), 'malformed answer: not BSON'],
  ])('%s', (_what, answer, reason) => {
    expect(endOf(answer)).toBe(reason);
  });

  it('never makes it throw, and ends the same however it is cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.constantFrom('raw', 'message', 'document'), (bytes, wrap) => {
        const body = Buffer.from(bytes);
        const answer = wrap === 'raw' ? body : opMsg(wrap === 'message' ? body : document([body]));
        runOverSplits(() => mongodbScript({ role: 'primary' }), answer, { closes: true });
      }),
      { numRuns: 400 },
    );
  });

  it('is told from a good one by any byte that was changed, or is as good as one', () => {
    fc.assert(
      fc.property(fc.nat(primary.length - 1), fc.nat(255), (at, byte) => {
        const answer = Buffer.from(primary);
        answer[at] = byte;
        expect(runScript(mongodbScript({}), [answer], { closes: true }).end).toMatch(/^(passed|is |its |refused hello|malformed answer|closed in the middle)/);
      }),
      { numRuns: 400 },
    );
  });
});
