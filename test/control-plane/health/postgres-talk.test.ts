import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PostgresTalk, type PostgresWanted } from '../../../src/control-plane/health/postgres-talk.ts';
import { postgresBegin, postgresError, postgresMessage, postgresRows } from '../../support/postgres-transcript.ts';
import { piecesOf, runOverSplits, runScript, type ScriptRun } from '../../support/script-runs.ts';

const plain: PostgresWanted = { user: 'weir', password: '', database: null, query: '', isPrimary: false, isAnyAnswerEnough: false, nonce: 'fyko+d2lbbFgONRv9qkxdawL' };
const anything: Partial<PostgresWanted> = { isAnyAnswerEnough: true };
const quit = 'X\0\0\0\x04';
const sql = (text: string): string => postgresMessage('Q', `${text}\0`).toString('latin1');
const ROLE = 'select pg_catalog.pg_is_in_recovery()';

function hear(answers: readonly Buffer[], wanted: Partial<PostgresWanted> = {}): ScriptRun {
  return runOverSplits(() => new PostgresTalk({ ...plain, ...wanted }).run(), Buffer.concat(answers), { secrets: [wanted.password ?? ''] });
}

/** What it says after the startup message. */
function saidTo(answers: readonly Buffer[], wanted: Partial<PostgresWanted> = {}): string {
  const { said } = hear(answers, wanted);
  return said.slice(Buffer.from(said, 'latin1').readUInt32BE(0));
}

describe('TLS', () => {
  const request = '\0\0\0\x08\x04\xd2\x16\x2f';
  const run = (...pieces: readonly (Buffer | string)[]): ScriptRun => runScript(new PostgresTalk({ ...plain, isSecure: true }).run(), pieces.map((piece) => Buffer.from(piece)), { closes: true });

  it('is asked for before anything else is said, and taken', () => {
    expect(run('S', postgresBegin)).toEqual({ end: 'passed', said: `${request}<TLS>${hear([]).said}${quit}` });
  });

  it.each([
    ['N', 'does not take TLS'],
    ['ESERROR\0Mfatal \x1b[31m words of whoever is in between\0\0', 'answers the question for TLS with an error'],
    ['HTTP/1.1 400 Bad Request\r\n', 'does not speak the PostgreSQL protocol'],
    ['', 'closed before it answered'],
  ])('%j fails, and nothing more is said', (answer, end) => {
    expect(run(answer)).toEqual({ end, said: request });
  });

  it('is not begun where something waits in the clear behind the answer', () => {
    expect(run(Buffer.concat([Buffer.from('S'), postgresBegin]))).toEqual({ end: 'malformed answer: it goes on in the clear after it agreed on TLS', said: request });
  });
});

describe('the start', () => {
  it('names the user, the database if it has another name, and itself', () => {
    expect(hear([]).said).toBe('\0\0\0\x2f\0\x03\0\0user\0weir\0application_name\0weir-probe\0\0');
    expect(hear([], { database: 'shop' }).said).toContain('\0user\0weir\0database\0shop\0application_name\0');
  });

  it('passes once the session is ready, and says goodbye', () => {
    expect(hear([postgresBegin]).end).toBe('passed');
    expect(saidTo([postgresBegin])).toBe(quit);
    expect(hear([postgresBegin.subarray(0, -1)]).end).toBe('waits');
    expect(hear([postgresMessage('v', 0, 0), postgresMessage('N', 'SNOTICE\0\0'), postgresBegin]).end).toBe('passed');
  });

  it.each([
    { code: '57P03', text: 'the database system is starting up', reason: '57P03 the database system is starting up' },
    { code: '53300', text: 'sorry, too many clients already', reason: '53300 sorry, too many clients already' },
    { code: '28000', text: 'no pg_hba.conf entry for host "::1", no encryption', reason: '28000 no pg_hba.conf entry for host "::1", no encryption' },
    { code: '3D000', text: 'database "weir" does not exist\nreally\x1b[31m', reason: '3D000 database "weir" does not exist really [31m' },
  ])('refused with $code fails: $reason', ({ code, text, reason }) => {
    expect(hear([postgresError(code, text)])).toMatchObject({ end: reason });
    expect(hear([postgresMessage('R', 0), postgresError(code, text)])).toMatchObject({ end: reason });
  });

  it('refused before there is a session, in the form of protocol 2.0, fails', () => {
    expect(hear([Buffer.from('Ecould not fork new process for connection: Cannot allocate memory\n\0')]).end).toBe('starts no session: could not fork new process for connection: Cannot allocate memory');
    expect(hear([Buffer.from('Ecould not fork\0')], anything).end).toBe('starts no session: could not fork');
  });
});

describe('where any answer is enough', () => {
  it.each([
    { what: 'is asked for a password', answer: postgresMessage('R', 10, 'SCRAM-SHA-256\0\0'), end: 'passed', said: '' },
    { what: 'is let in', answer: postgresBegin, end: 'passed', said: quit },
    { what: 'is unknown', answer: postgresError('28000', 'role "weir" does not exist'), end: 'passed', said: '' },
    { what: 'is let in, and then unknown', answer: Buffer.concat([postgresMessage('R', 0), postgresError('28000', 'role "weir" does not exist')]), end: 'passed', said: '' },
    { what: 'meets a server that starts up', answer: postgresError('57P03', 'the database system is starting up'), end: '57P03 the database system is starting up', said: '' },
    { what: 'meets a server that shuts down', answer: postgresError('57P01', 'terminating'), end: '57P01 terminating', said: '' },
    { what: 'meets one that is full', answer: postgresError('53300', 'sorry'), end: '53300 sorry', said: '' },
    { what: 'meets one that is full, once let in', answer: Buffer.concat([postgresMessage('R', 0), postgresError('53300', 'slots are reserved')]), end: '53300 slots are reserved', said: '' },
    { what: 'meets one with a broken disk', answer: postgresError('58030', 'could not read'), end: '58030 could not read', said: '' },
  ])('one who $what: $end', ({ answer, end, said }) => {
    expect(hear([answer], anything).end).toBe(end);
    expect(saidTo([answer], anything)).toBe(said);
  });
});

describe('the login', () => {
  const password = 'pencil';

  it('says the password as it is only if asked to, and repeats no word of the server after that', () => {
    const asked = postgresMessage('R', 3);
    expect(saidTo([asked, postgresBegin], { password })).toBe(`p\0\0\0\x0bpencil\0${quit}`);
    expect(hear([asked, postgresError('28P01', 'wrong: cGVuY2ls')], { password }).end).toBe('28P01 wrong password');
    expect(hear([asked, postgresError('P0001', 'lienp')], { password }).end).toBe('P0001');
    expect(hear([asked, postgresBegin, postgresError('P0001', 'cGVuY2ls')], { password, query: 'select 1' }).end).toBe('query failed: P0001');
  });

  it('hashes it with MD5', () => {
    const md5 = (text: Buffer | string): string => createHash('md5').update(text).digest('hex');
    const expected = `md5${md5(Buffer.concat([Buffer.from(md5('pencilweir')), Buffer.from('salt')]))}`;
    expect(saidTo([postgresMessage('R', 5, 'salt'), postgresBegin], { password })).toBe(`p\0\0\0\x28${expected}\0${quit}`);
    expect(hear([postgresMessage('R', 5, 'salt'), postgresError('28P01', 'no')], { password }).end).toBe('28P01 no');
  });

  it.each([3, 5, 10])('without a password is not tried where one is asked for (%i)', (kind) => {
    expect(hear([postgresMessage('R', kind, kind === 5 ? 'salt' : kind === 10 ? 'SCRAM-SHA-256\0\0' : '')]).end).toBe('asks for a password, and none is set');
  });

  it.each([
    { request: postgresMessage('R', 7), reason: 'asks for GSSAPI authentication, which is not spoken here' },
    { request: postgresMessage('R', 99), reason: 'asks for 99 authentication, which is not spoken here' },
    { request: postgresMessage('R', 10, 'SCRAM-SHA-256-PLUS\0\0'), reason: 'asks for a SASL mechanism that is not spoken here' },
    { request: postgresMessage('R', 11, 'x'), reason: 'malformed answer: authentication out of order' },
    { request: postgresMessage('R', 5, 'sal'), reason: 'malformed authentication request' },
    { request: postgresMessage('R'), reason: 'malformed authentication request' },
    { request: Buffer.concat([postgresMessage('R', 3), postgresMessage('R', 5, 'salt')]), reason: 'malformed answer: authentication out of order' },
  ])('fails: $reason', ({ request, reason }) => {
    expect(hear([request], { password }).end).toBe(reason);
  });

  /** A server's side of SCRAM-SHA-256 for the nonce above, by RFC 5802 §3. */
  function scram({ known = password } = {}): { challenge: string; signature: string } {
    const challenge = `r=${plain.nonce}3rfcNHYJY1ZVvWVs7j,s=${Buffer.from('sixteen bytes so').toString('base64')},i=16`;
    const key = pbkdf2Sync(known, 'sixteen bytes so', 16, 32, 'sha256');
    const message = `n=,r=${plain.nonce},${challenge},c=biws,r=${plain.nonce}3rfcNHYJY1ZVvWVs7j`;
    const serverKey = createHmac('sha256', key).update('Server Key').digest();
    return { challenge, signature: createHmac('sha256', serverKey).update(message).digest('base64') };
  }
  const offer = postgresMessage('R', 10, 'SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0');

  it('does SCRAM-SHA-256, and believes a server that knows the password alone', () => {
    const { challenge, signature } = scram();
    const end = (...answers: readonly Buffer[]): string => hear([offer, postgresMessage('R', 11, challenge), ...answers], { password }).end;
    expect(end(postgresMessage('R', 12, `v=${signature}`), postgresBegin)).toBe('passed');
    expect(saidTo([offer], { password })).toBe(`p\0\0\0\x36SCRAM-SHA-256\0\0\0\0\x20n,,n=,r=${plain.nonce}`);
    expect(end(postgresMessage('R', 12, `v=${scram({ known: 'other' }).signature}`), postgresBegin)).toBe('does not prove that it knows the password');
    expect(end(postgresBegin)).toBe('does not prove that it knows the password');
    expect(end(postgresError('28P01', 'password authentication failed'))).toBe('28P01 password authentication failed');
  });

  it('does not work for a server that asks for a thousand times as much', () => {
    const { challenge } = scram();
    expect(hear([offer, postgresMessage('R', 11, challenge.replace('i=16', 'i=4096000'))], { password }).end).toBe('SCRAM asks for 4096000 iterations; 100000 at most are done');
  });
});

describe('the role', () => {
  const wanted = { isPrimary: true };
  it.each([
    { answer: postgresRows('f'), end: 'passed' },
    { answer: postgresRows('t'), end: 'is a replica' },
    { answer: postgresRows('x'), end: 'malformed answer to the question for its role' },
    { answer: postgresRows(), end: 'malformed answer to the question for its role' },
    { answer: postgresRows('f', 'f'), end: 'malformed answer to the question for its role' },
    { answer: postgresError('42501', 'permission denied', 'ERROR'), end: 'role cannot be asked: 42501 permission denied' },
  ])('$end', ({ answer, end }) => {
    expect(hear([postgresBegin, answer], wanted).end).toBe(end);
    expect(saidTo([postgresBegin, answer], wanted)).toBe(sql(ROLE) + quit);
  });
});

describe('the query', () => {
  const wanted = { query: 'select 1' };
  const done = [postgresMessage('C', 'SET\0'), postgresMessage('Z', 'I')];
  it.each([
    { what: 'a row', answer: [postgresRows('1')], end: 'passed' },
    { what: 'no row', answer: [postgresRows()], end: 'query found no row' },
    { what: 'success alone', answer: done, end: 'passed' },
    { what: 'a row, a notice and a notification', answer: [postgresMessage('N', 'SNOTICE\0\0'), postgresMessage('A', 1, 'x\0\0'), postgresRows('1')], end: 'passed' },
    { what: 'an error', answer: [postgresError('42P01', 'relation "x" does not exist', 'ERROR')], end: 'query failed: 42P01 relation "x" does not exist' },
    { what: 'a row of another length than it says', answer: [postgresMessage('D', '\0\x01', 99, 'x')], end: 'malformed row' },
  ])('that finds $what: $end', ({ answer, end }) => {
    expect(hear([postgresBegin, ...answer], wanted).end).toBe(end);
    expect(saidTo([postgresBegin, ...answer], wanted)).toBe(sql('select 1') + (end === 'malformed row' ? '' : quit));
  });

  it('is asked of a primary after its role, and of nobody else', () => {
    expect(saidTo([postgresBegin, postgresRows('f'), postgresRows('1')], { ...wanted, isPrimary: true })).toBe(sql(ROLE) + sql('select 1') + quit);
    expect(saidTo([postgresBegin, postgresRows('t')], { ...wanted, isPrimary: true })).toBe(sql(ROLE) + quit);
  });

  it('that copies, or is answered with too much, fails', () => {
    expect(hear([postgresBegin, postgresMessage('H', '\0\0\0')], wanted).end).toBe('query copies, which is not spoken here');
    expect(hear([postgresBegin, postgresMessage('D', '\0\x01', 40_000, 'x'.repeat(40_000)).subarray(0, 100)], wanted).end).toBe('answer is too large: a message of 40011 bytes');
    const endless = Buffer.concat([postgresBegin, postgresRows(...Array<string>(4000).fill('a row of text'))]);
    expect(runScript(new PostgresTalk({ ...plain, ...wanted }).run(), piecesOf(endless, 1000)).end).toBe('answer is larger than 65536 bytes');
  });
});

describe('something else', () => {
  it.each(['HTTP/1.1 400 Bad Request\r\n\r\n', 'SSH-2.0-OpenSSH_9.2\r\n', '220 mail ready\r\n', '-ERR unknown command\r\n', '\0\0\0\0\0\0\0\0', 'J\0\0\0\x0a5.5.5-10'])('that says %j fails', (text) => {
    expect(hear([Buffer.from(text, 'latin1')])).toMatchObject({ end: 'does not speak the PostgreSQL protocol' });
  });

  it('that says any bytes, at any point, fails or waits the same however they are cut', () => {
    const piece = fc.oneof(fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)), fc.constantFrom(postgresBegin, postgresRows('f'), postgresError('57P03', 'no'), postgresMessage('R', 3), postgresMessage('R', 5, 'salt'), postgresMessage('E', 'C28P0'), postgresMessage('D', '\0\x01')));
    const asked = fc.record({ isAnyAnswerEnough: fc.boolean(), isPrimary: fc.boolean(), query: fc.constantFrom('', 'select 1'), password: fc.constantFrom('', 'pencil') });
    fc.assert(fc.property(fc.array(piece, { maxLength: 6 }), asked, (pieces, wanted) => void hear(pieces, wanted)), { numRuns: 200 });
  });
});
