/** The conversation with a Cassandra node, over bytes as native_protocol_v4.spec has them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cassandraScript } from '../../../src/control-plane/health/cassandra-probe.ts';
import { authenticate, authSuccess, cassandraError, cassandraFrame, cassandraText, ready, supported } from '../../support/cassandra-bytes.ts';
import { runOverSplits, type ScriptRun } from '../../support/script-runs.ts';

const nobody = { user: '', password: '' };
const weir = { user: 'weir', password: 'open sesame' };

function run(answers: readonly Buffer[], wanted = nobody): ScriptRun {
  return runOverSplits(() => cassandraScript(wanted), Buffer.concat(answers), { closes: true, secrets: [wanted.password] });
}

describe('what it says', () => {
  const asked = '040000010500000000';
  const startup = '0400000101000000160001' + '000b43514c5f56455253494f4e' + '0005332e302e30';

  it('is OPTIONS and STARTUP of version 4', () => {
    expect(Buffer.from(run([supported, ready]).said, 'latin1').toString('hex')).toBe(asked + startup);
  });

  it('is the login, where one is asked for and given', () => {
    const login = '040000010f000000150000001100' + '77656972' + '00' + '6f70656e20736573616d65';
    expect(Buffer.from(run([supported, authenticate, authSuccess], weir).said, 'latin1').toString('hex')).toBe(asked + startup + login);
    expect(Buffer.from(run([supported, authenticate]).said, 'latin1').toString('hex')).toBe(asked + startup);
    expect(Buffer.from(run([supported, ready], weir).said, 'latin1').toString('hex')).toBe(asked + startup);
  });
});

describe('how it ends', () => {
  it.each<[string, Buffer[], typeof nobody, string]>([
    ['ready', [supported, ready], nobody, 'passed'],
    ['ready, and no login wanted', [supported, ready], weir, 'passed'],
    ['asks for a login that nobody has', [supported, authenticate], nobody, 'passed'],
    ['takes the login', [supported, authenticate, authSuccess], weir, 'passed'],
    ['refuses the login', [supported, authenticate, cassandraError(0x0100, 'Provided username weir and/or password are incorrect')], weir, 'login refused (0x0100)'],
    ['repeats the login', [supported, authenticate, cassandraError(0x0000, 'what is "\0weir\0open sesame"?')], weir, 'server error (0x0000)'],
    ['repeats the password before it had it', [cassandraError(0x000a, 'open sesame?')], weir, 'protocol error (0x000a): ***?'],
    ['asks for another login', [supported, authenticate, cassandraFrame(0x0e, Buffer.from('PLAIN-START'))], weir, 'asks for a login other than by user and password'],
    ['is bootstrapping', [supported, cassandraError(0x1002, 'Cannot read from a bootstrapping node')], nobody, 'is bootstrapping (0x1002): Cannot read from a bootstrapping node'],
    ['is overloaded', [cassandraError(0x1001, '')], nobody, 'overloaded (0x1001)'],
    ['has an error of its own', [cassandraError(0x7777, 'line\nbreak')], nobody, 'error (0x7777): line break'],
    ['is of an older version', [cassandraError(0x000a, 'Invalid or unsupported protocol version: 4', { version: 0x83, stream: 0 })], nobody, 'protocol error (0x000a): Invalid or unsupported protocol version: 4'],
  ])('%s', (_what, answers, wanted, end) => {
    expect(run(answers, wanted).end).toBe(end);
  });
});

describe('an answer that is none', () => {
  it.each<[string, Buffer[], string]>([
    ['nothing', [], 'closed before it answered'],
    ['cut short', [supported.subarray(0, 12)], 'closed in the middle of its answer'],
    ['closed after OPTIONS', [supported], 'closed before it answered'],
    ['HTTP', [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')], 'malformed answer: not the native protocol'],
    ['our own request', [cassandraFrame(0x05, Buffer.alloc(0), { version: 4 })], 'malformed answer: not the native protocol'],
    ['a length beyond reason', [Buffer.from('84000001067fffffff', 'hex')], 'malformed answer: a message of 2147483656 bytes'],
    ['READY to OPTIONS', [ready], 'malformed answer: opcode 2 to OPTIONS'],
    ['SUPPORTED to STARTUP', [supported, supported], 'malformed answer: opcode 6 to STARTUP'],
    ['AUTHENTICATE to the login', [supported, authenticate, authenticate], 'malformed answer: opcode 3 to the login'],
    ['an event', [supported, cassandraFrame(0x0c, cassandraText('STATUS_CHANGE'), { stream: -1 })], 'malformed answer: to another request'],
    ['another version', [cassandraFrame(0x06, Buffer.alloc(0), { version: 0x83 })], 'malformed answer: to another request'],
    ['compressed', [cassandraFrame(0x06, Buffer.alloc(0), { flags: 1 })], 'malformed answer: flags that were not asked for'],
    ['an error cut short', [cassandraFrame(0x00, Buffer.from([0, 0, 0, 0]))], 'malformed answer: an error cut short'],
    ['an error with less text than it says', [cassandraFrame(0x00, Buffer.from([0, 0, 0, 0, 0, 9, 65]))], 'malformed answer: an error cut short'],
  ])('%s', (_what, answers, end) => {
    expect(run(answers, weir).end).toBe(end);
  });

  it('never makes it throw, ends the same however it is cut, and says no password', () => {
    const part = fc.oneof(
      fc.constantFrom(supported, ready, authenticate, authSuccess),
      fc.tuple(fc.constantFrom(0, 2, 3, 6, 0x0e, 0x10, 0x77), fc.uint8Array({ maxLength: 24 })).map(([opcode, body]) => cassandraFrame(opcode, Buffer.from(body))),
      fc.string().map((message) => cassandraError(0x0000, `${message} ${weir.password}`)),
      fc.uint8Array({ maxLength: 24 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), (parts) => {
        expect(run(parts, weir).end).not.toContain(weir.password);
      }),
      { numRuns: 400 },
    );
  });
});
