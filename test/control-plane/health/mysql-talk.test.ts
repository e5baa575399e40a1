import { createHash, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MysqlTalk, type MysqlWanted } from '../../../src/control-plane/health/mysql-talk.ts';
import { MYSQL_SCRAMBLE, mysqlError, mysqlGreeting, mysqlOk, mysqlPacket, mysqlRows, mysqlSwitch } from '../../support/mysql-transcript.ts';
import { piecesOf, runOverSplits, runScript, type ScriptRun } from '../../support/script-runs.ts';

const plain: MysqlWanted = { user: 'weir', password: '', database: null, query: '', isPrimary: false };
const password = 'pencil';
const welcome = Buffer.concat([mysqlGreeting(), mysqlOk(2)]);
const text = (bytes: Buffer): string => bytes.toString('latin1');
const quit = '\x01\0\0\0\x01';
const sql = (query: string): string => text(mysqlPacket(0, 3, query));
const ROLE = 'select @@global.read_only, @@global.innodb_read_only';

function hear(answers: readonly Buffer[], wanted: Partial<MysqlWanted> = {}): ScriptRun {
  return runOverSplits(() => new MysqlTalk({ ...plain, ...wanted }).run(), Buffer.concat(answers), { secrets: [wanted.password ?? ''] });
}

/** What it says after the answer to the greeting. */
function saidTo(answers: readonly Buffer[], wanted: Partial<MysqlWanted> = {}): string {
  const { said } = hear(answers, wanted);
  return said.slice(4 + Buffer.from(said, 'latin1').readUIntLE(0, 3));
}

/** What the server computes from the hash that it stores, by the manual's formulas. */
const sum = (algorithm: string, ...parts: readonly (string | Buffer)[]): Buffer => createHash(algorithm).update(Buffer.concat(parts.map((part) => Buffer.from(part)))).digest();
const xor = (a: Buffer, b: Buffer): Buffer => Buffer.from(a.map((byte, i) => byte ^ b[i]!));
const nativeToken = text(xor(sum('sha1', password), sum('sha1', MYSQL_SCRAMBLE, sum('sha1', sum('sha1', password)))));
const sha2Token = text(xor(sum('sha256', password), sum('sha256', sum('sha256', sum('sha256', password)), MYSQL_SCRAMBLE)));

describe('TLS', () => {
  const run = (greeting: Buffer, ...pieces: readonly Buffer[]): ScriptRun => runScript(new MysqlTalk({ ...plain, password, isSecure: true }).run(), [greeting, ...pieces], { closes: true });
  const takesTls = { capabilities: 0xdfff_ffdf };
  const head = `\x01\xaa\x08\0\0\x80\0\0\x2d${'\0'.repeat(23)}`;
  const request = text(mysqlPacket(1, Buffer.from(head, 'latin1')));

  it('is switched to before the user is named, and the numbers go on', () => {
    const { end, said } = run(mysqlGreeting(takesTls), mysqlOk(3));
    expect(end).toBe('passed');
    expect(said).toBe(`${request}<TLS>${text(mysqlPacket(2, Buffer.from(`${head}weir\0\x14${nativeToken}mysql_native_password\0`, 'latin1')))}${quit}`);
  });

  it('has the password told as it is where the server does not know its hash yet', () => {
    const { end, said } = run(mysqlGreeting({ ...takesTls, plugin: 'caching_sha2_password' }), mysqlPacket(3, 1, 4), mysqlOk(5));
    expect(end).toBe('passed');
    expect(said).toContain(text(mysqlPacket(4, `${password}\0`)));
  });

  it('that the server does not take fails, and nobody is named', () => {
    expect(run(mysqlGreeting())).toEqual({ end: 'does not take TLS', said: '' });
  });

  it('is not begun where something waits in the clear behind the greeting', () => {
    expect(run(Buffer.concat([mysqlGreeting(takesTls), mysqlOk(3)]))).toEqual({ end: 'malformed answer: it goes on in the clear after it agreed on TLS', said: request });
  });
});

describe('the login', () => {
  it('names the user, the database if there is one, and the plug-in', () => {
    const head = '\x01\xa2\x08\0\0\x80\0\0\x2d' + '\0'.repeat(23);
    expect(hear([mysqlGreeting()]).said).toBe(text(mysqlPacket(1, Buffer.from(`${head}weir\0\0mysql_native_password\0`, 'latin1'))));
    expect(hear([mysqlGreeting()], { database: 'shop' }).said).toContain('weir\0\0shop\0mysql_native_password\0');
    expect(hear([mysqlGreeting()], { password }).said).toContain(`weir\0\x14${nativeToken}mysql_native_password\0`);
    expect(hear([mysqlGreeting({ plugin: 'caching_sha2_password' })], { password }).said).toContain(`weir\0\x20${sha2Token}caching_sha2_password\0`);
  });

  it('passes once it is let in, and says goodbye', () => {
    expect(hear([welcome]).end).toBe('passed');
    expect(saidTo([welcome])).toBe(quit);
    expect(hear([welcome.subarray(0, -1)]).end).toBe('waits');
  });

  it.each([
    { answer: mysqlError(0, 1040, 'Too many connections'), reason: '1040 Too many connections' },
    { answer: mysqlError(0, 1129, "Host '10.0.0.9' is blocked because of many connection errors"), reason: "1129 Host '10.0.0.9' is blocked because of many connection errors" },
    { answer: Buffer.concat([mysqlGreeting(), mysqlError(2, 1045, "#28000Access denied for user 'weir'@'h' (using password: NO)")]), reason: "1045 Access denied for user 'weir'@'h' (using password: NO)" },
    { answer: Buffer.concat([mysqlGreeting(), mysqlError(2, 3159, '#HY000Connections using insecure transport are prohibited')]), reason: '3159 Connections using insecure transport are prohibited' },
    { answer: mysqlGreeting({ version: 9 }), reason: 'does not speak the MySQL protocol' },
    { answer: mysqlGreeting({ capabilities: 0x8000 }), reason: 'is older than MySQL 4.1' },
    { answer: Buffer.concat([mysqlGreeting(), mysqlPacket(2, 7)]), reason: 'malformed answer: authentication out of order' },
    { answer: Buffer.concat([mysqlGreeting(), mysqlOk(3)]), reason: 'malformed answer: packets out of order' },
    { answer: Buffer.concat([mysqlGreeting(), mysqlPacket(2)]), reason: 'malformed answer: packets out of order' },
    { answer: mysqlPacket(0, 10, '8.0.36\0', 'short'), reason: 'malformed answer: a packet is too short' },
  ])('refused fails: $reason', ({ answer, reason }) => {
    expect(hear([answer]).end).toBe(reason);
  });

  it('switches to the plug-in of the user', () => {
    const switched = [mysqlGreeting(), mysqlSwitch(2, 'caching_sha2_password')];
    expect(saidTo(switched, { password })).toBe(text(mysqlPacket(3, Buffer.from(sha2Token, 'latin1'))));
    expect(hear([...switched, mysqlPacket(4, 1, 3), mysqlOk(5)], { password }).end).toBe('passed');
    const back = [mysqlGreeting({ plugin: 'caching_sha2_password' }), mysqlSwitch(2, 'mysql_native_password')];
    expect(saidTo([...back, mysqlOk(4)], { password })).toBe(text(mysqlPacket(3, Buffer.from(nativeToken, 'latin1'))) + quit);
    expect(hear([mysqlGreeting({ plugin: 'auth_gssapi_client' })]).said).toContain('mysql_native_password\0');
  });

  it.each(['mysql_clear_password', 'client_ed25519', 'sha256_password', ''])('gives no password to %j, but ends the login all the same', (plugin) => {
    const switched = [mysqlGreeting(), plugin === '' ? mysqlPacket(2, 0xfe) : mysqlSwitch(2, plugin)];
    expect(saidTo(switched, { password })).toBe('\0\0\0\x03');
    expect(hear([...switched, mysqlError(4, 1045, '#28000no')], { password }).end).toBe(`asks for an authentication that is not spoken here: ${plugin === '' ? 'mysql_old_password' : plugin}`);
    expect(hear([...switched, mysqlOk(4)], { password }).end).toBe('passed');
  });
});

describe('caching_sha2_password', () => {
  const greeting = mysqlGreeting({ plugin: 'caching_sha2_password' });
  const full = [greeting, mysqlPacket(2, 1, 4)];
  const pem = (bits: number, publicExponent = 0x10001): string => generateKeyPairSync('rsa', { modulusLength: bits, publicExponent, publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } }).publicKey;

  it('asks for the key when the server has not cached the password, and repeats no word of the server after that', () => {
    expect(saidTo(full, { password })).toBe(text(mysqlPacket(3, 2)));
    const withKey = [...full, mysqlPacket(4, 1, pem(2048))];
    // Encrypted anew each time, so no two runs say the same.
    const run = (...answers: readonly Buffer[]): ScriptRun => runScript(new MysqlTalk({ ...plain, password }).run(), piecesOf(Buffer.concat([...withKey, ...answers]), 7));
    expect(run(mysqlOk(6)).end).toBe('passed');
    expect(run(mysqlError(6, 1045, '#28000Access denied: lienp')).end).toBe('1045 wrong password');
    expect(run(mysqlError(6, 9999, '#HY000cGVuY2ls')).end).toBe('9999');
  });

  it.each([
    { what: 'no key', key: 'cGVuY2ls' },
    { what: 'a key of another kind', key: generateKeyPairSync('ed25519', { publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } }).publicKey },
  ])('takes $what', ({ key }) => {
    expect(hear([...full, mysqlPacket(4, 1, key)], { password }).end).toBe('malformed answer: its public key');
  });

  it('does not work with a key that is too long, and not beyond one that is too short', () => {
    const long = '-----BEGIN PUBLIC KEY-----\n' + Buffer.concat([Buffer.from('3082 0422 300d 06092a864886f70d0101010500 0382040f 00 3082040a 02820401 00'.replaceAll(' ', ''), 'hex'), Buffer.alloc(1024, 0xc5), Buffer.from('0203010001', 'hex')]).toString('base64') + '\n-----END PUBLIC KEY-----\n';
    expect(hear([...full, mysqlPacket(4, 1, long)], { password }).end).toBe('malformed answer: its public key');
    expect(hear([...full, mysqlPacket(4, 1, pem(512))], { password: 'a password of some length' }).end).toBe('its public key is too short for the password');
  });

  it.each([mysqlPacket(2, 1, 9), mysqlPacket(2, 1), mysqlPacket(2, 1, 3, 0)])('out of order fails', (answer) => {
    expect(hear([greeting, answer], { password }).end).toBe('malformed answer: authentication out of order');
  });

  it('is not spoken to a server that asked for another', () => {
    expect(hear([mysqlGreeting(), mysqlPacket(2, 1, 4)], { password }).end).toBe('malformed answer: authentication out of order');
  });
});

describe('the role', () => {
  it.each([
    { answer: mysqlRows(2, ['0', '0']), end: 'passed' },
    { answer: mysqlRows(2, ['OFF', '0']), end: 'passed' },
    { answer: mysqlRows(2, ['1', '0']), end: 'is read-only' },
    { answer: mysqlRows(2, ['0', '1']), end: 'is read-only' },
    { answer: mysqlRows(2, ['NO_LOCK_NO_ADMIN', '0']), end: 'is read-only' },
    { answer: mysqlRows(2, [null, '0']), end: 'is read-only' },
    { answer: mysqlRows(2), end: 'malformed answer to the question for its role' },
    { answer: mysqlOk(1), end: 'malformed answer to the question for its role' },
    { answer: mysqlError(1, 1227, '#42000Access denied'), end: 'role cannot be asked: 1227 Access denied' },
  ])('$end', ({ answer, end }) => {
    expect(hear([welcome, answer], { isPrimary: true }).end).toBe(end);
    expect(saidTo([welcome, answer], { isPrimary: true })).toBe(sql(ROLE) + quit);
  });

  it('of a server without InnoDB is asked without it', () => {
    const unknown = mysqlError(1, 1193, "#HY000Unknown system variable 'innodb_read_only'");
    expect(saidTo([welcome, unknown, mysqlRows(1, ['0'])], { isPrimary: true })).toBe(sql(ROLE) + sql('select @@global.read_only') + quit);
    expect(hear([welcome, unknown, mysqlRows(1, ['1'])], { isPrimary: true }).end).toBe('is read-only');
    expect(hear([welcome, unknown, unknown], { isPrimary: true }).end).toBe('malformed answer to the question for its role');
  });
});

describe('the query', () => {
  const wanted = { query: 'select 1' };
  it.each([
    { what: 'a row', answer: mysqlRows(1, ['1']), end: 'passed' },
    { what: 'a row of NULL', answer: mysqlRows(1, [null]), end: 'passed' },
    { what: 'no row', answer: mysqlRows(1), end: 'query found no row' },
    { what: 'success alone', answer: mysqlOk(1), end: 'passed' },
    { what: 'an error', answer: mysqlError(1, 1146, "#42S02Table 'a.b' doesn't exist"), end: "query failed: 1146 Table 'a.b' doesn't exist" },
    { what: 'an error among its rows', answer: Buffer.concat([mysqlRows(1, ['1']).subarray(0, -9), mysqlError(5, 3024, '#HY000interrupted')]), end: 'query failed: 3024 interrupted' },
  ])('that finds $what: $end', ({ answer, end }) => {
    expect(hear([welcome, answer], wanted).end).toBe(end);
    expect(saidTo([welcome, answer], wanted)).toBe(sql('select 1') + quit);
  });

  it.each([
    { answer: mysqlPacket(1, 0xfb, '/etc/passwd'), end: 'query asks for a file, which it does not get' },
    { answer: mysqlPacket(1, 0xfd, '\xff\xff\xff'), end: 'malformed answer: the number of columns' },
    { answer: mysqlPacket(1, 0xfe, '\xff\xff\xff\xff\xff\xff\xff\xff'), end: 'malformed answer: a length that nothing here can have' },
    { answer: Buffer.concat([mysqlPacket(1, 1), mysqlPacket(2, 'x'), mysqlPacket(3, 'x')]), end: 'malformed answer: more columns than it said' },
    { answer: Buffer.concat([mysqlPacket(1, 1), mysqlPacket(2, 'x'), mysqlPacket(3, 0xfe, '\0\0\0\0'), mysqlPacket(4, 9, 'short')]), end: 'malformed answer: a packet is too short' },
    { answer: Buffer.from([0xff, 0xff, 0xff, 1]), end: 'answer is too large: a message of 16777219 bytes' },
  ])('answered with nonsense fails: $end', ({ answer, end }) => {
    expect(hear([welcome, answer], wanted)).toMatchObject({ end });
  });

  it('answered with too much fails', () => {
    const rows = mysqlRows(1, ...Array.from({ length: 200 }, () => ['x'.repeat(200)]));
    expect(runScript(new MysqlTalk({ ...plain, ...wanted }).run(), piecesOf(Buffer.concat([welcome, rows]), 1000), { bytesMax: 32_768 }).end).toBe('answer is larger than 32768 bytes');
  });
});

describe('something else', () => {
  it.each(['HTTP/1.1 400 Bad Request\r\n\r\n', 'SSH-2.0-OpenSSH_9.2\r\n', '220 mail ready\r\n', '-ERR unknown command\r\n', 'E\0\0\0\x08', '\x01\0\0\0\x0b'])('that says %j fails', (garbage) => {
    expect(hear([Buffer.from(garbage, 'latin1')]).end).toBe('does not speak the MySQL protocol');
  });

  it('that says any bytes, at any point, fails or waits the same however they are cut', () => {
    const piece = fc.oneof(fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)), fc.constantFrom(mysqlGreeting(), welcome, mysqlRows(2, ['0', '0']), mysqlSwitch(2, 'caching_sha2_password'), mysqlPacket(2, 1, 4), mysqlPacket(4, 1, 'no key'), mysqlError(1, 1193, 'x'), mysqlPacket(1, 3)));
    const asked = fc.record({ isPrimary: fc.boolean(), query: fc.constantFrom('', 'select 1'), password: fc.constantFrom('', password) });
    fc.assert(fc.property(fc.array(piece, { maxLength: 6 }), asked, (pieces, wanted) => void hear(pieces, wanted)), { numRuns: 200 });
  });
});
