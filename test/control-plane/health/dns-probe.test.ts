import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { dnsProbe } from '../../../src/control-plane/health/dns-probe.ts';
import { buildQuery, parseQuestion, readResponseCode } from '../../../src/control-plane/health/dns-query.ts';
import { BadAnswer } from '../../../src/control-plane/health/talk-script.ts';
import { DatagramBackend } from '../../support/datagram-backend.ts';
import { outcomeOf } from '../../support/probe-once.ts';
import { hasProgram, RealServer } from '../../support/real-server.ts';

const query = buildQuery(0x1234, parseQuestion('www.Example.com a')!);

/** The query as an answer, with these flags. */
function answerTo(asked: Buffer, flags: number, change: (bytes: Buffer) => void = () => undefined): Buffer {
  const bytes = Buffer.from(asked);
  bytes.writeUInt16BE(flags, 2);
  change(bytes);
  return bytes;
}

describe('a question', () => {
  it('is sent as RFC 1035 has it', () => {
    expect(query.toString('hex')).toBe(`${'123401000001000000000000'}0377777707657861${'6d706c6503636f6d00'}00010001`);
    expect(buildQuery(1, parseQuestion('. NS')!).toString('hex')).toBe('000101000001000000000000' + '00' + '00020001');
    expect(buildQuery(1, parseQuestion('a. TYPE65280')!).toString('hex')).toBe('000101000001000000000000' + '016100' + 'ff000001');
  });

  it.each(['', 'a', 'a b', 'a..b A', '.a A', `${'a'.repeat(64)} A`, `${'abcdefgh.'.repeat(30)} A`, 'a A A', 'a TYPE65536', 'a toString', 'a\n A'])('%j is none', (text) => {
    expect(parseQuestion(text)).toBeNull();
    expect(dnsProbe.options.safeParse({ query: text }).success).toBe(false);
  });
});

describe('an answer', () => {
  it.each([
    { what: 'NOERROR', bytes: answerTo(query, 0x8180), code: 'NOERROR' },
    { what: 'truncated', bytes: answerTo(query, 0x8380), code: 'NOERROR' },
    { what: 'with records behind the question', bytes: Buffer.concat([answerTo(query, 0x8180), Buffer.alloc(100, 0xc0)]), code: 'NOERROR' },
    { what: 'in its own case', bytes: answerTo(query, 0x8183, (bytes) => bytes.write('WWW', 13)), code: 'NXDOMAIN' },
    { what: 'of a code without a name', bytes: answerTo(query, 0x818f), code: 'RCODE15' },
    { what: 'refused, without the question', bytes: answerTo(query, 0x8185, (bytes) => bytes.writeUInt16BE(0, 4)).subarray(0, 12), code: 'REFUSED' },
    { what: 'to another id', bytes: answerTo(query, 0x8180, (bytes) => bytes.writeUInt16BE(0x4321, 0)), code: null },
  ])('$what has the code $code', ({ bytes, code }) => {
    expect(readResponseCode(bytes, query)).toBe(code);
  });

  it.each([
    { what: 'the query itself', bytes: query },
    { what: 'another opcode', bytes: answerTo(query, 0xa800) },
    { what: 'too short', bytes: query.subarray(0, 11) },
    { what: 'empty', bytes: Buffer.alloc(0) },
    { what: 'to another question', bytes: answerTo(query, 0x8180, (bytes) => bytes.write('xyz', 13)) },
    { what: 'without the question', bytes: answerTo(query, 0x8180, (bytes) => bytes.writeUInt16BE(0, 4)) },
    { what: 'cut in the question', bytes: answerTo(query, 0x8180).subarray(0, 20) },
  ])('is none if it is $what', ({ bytes }) => {
    expect(() => readResponseCode(bytes, query)).toThrow(BadAnswer);
  });

  it('of any bytes is a code, none, or no answer', () => {
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.tuple(fc.nat(query.length), fc.nat(0xffff), fc.uint8Array({ maxLength: 20 })).map(([end, flags, tail]) => Buffer.concat([answerTo(query, flags).subarray(0, end), tail])));
    fc.assert(
      fc.property(bytes, (all) => {
        try {
          readResponseCode(Buffer.from(all), query);
        } catch (error) {
          expect(error).toBeInstanceOf(BadAnswer);
        }
      }),
    );
  });
});

describe('a server', () => {
  let backend: DatagramBackend;
  afterEach(() => backend.stop());
  const answering = (...flags: readonly number[]): Promise<DatagramBackend> => DatagramBackend.start((asked, answer) => flags.forEach((flag) => answer(answerTo(asked, flag))));

  it.each([
    { flags: 0x8180, options: {}, end: 'passed' },
    { flags: 0x8183, options: { query: 'no.example A', expect: ['NOERROR', 'NXDOMAIN'] }, end: 'passed' },
    { flags: 0x8183, options: { expect: 'NOERROR' }, end: 'answered NXDOMAIN, expected NOERROR' },
    { flags: 0x8182, options: { expect: ['NOERROR', 'NXDOMAIN'] }, end: 'answered SERVFAIL, expected NOERROR or NXDOMAIN' },
    { flags: 0x0100, options: {}, end: 'malformed answer: not an answer of DNS' },
  ])('that answers $flags to $options: $end', async ({ flags, options, end }) => {
    backend = await answering(flags);
    expect(await outcomeOf(dnsProbe, backend.port, options)).toBe(end);
  });

  it('is believed only for the id it was asked with, which is another each time', async () => {
    backend = await DatagramBackend.start((asked, answer) => {
      answer(answerTo(asked, 0x8182, (bytes) => bytes.writeUInt16BE(bytes.readUInt16BE(0) ^ 1, 0)));
      answer(answerTo(asked, 0x8180));
    });
    for (let i = 0; i < 4; i++) expect(await outcomeOf(dnsProbe, backend.port)).toBe('passed');
    expect(new Set(backend.received.map((asked) => asked.slice(0, 2))).size).toBeGreaterThan(1);
  });
});

it('codes that pass are known ones', () => {
  for (const expected of ['OK', [], 'noerror', 0]) expect(dnsProbe.options.safeParse({ expect: expected }).success).toBe(false);
});

describe.skipIf(!hasProgram('dnsmasq'))('a real server (Debian package dnsmasq-base)', () => {
  let names: RealServer;
  beforeAll(async () => {
    names = await RealServer.start('dnsmasq', (port) => ['--keep-in-foreground', '--conf-file=/dev/null', '--no-hosts', '--no-resolv', '--listen-address=127.0.0.1', '--bind-interfaces', '--pid-file', `--port=${port}`, '--local=/example.com/', '--address=/www.example.com/192.0.2.1', '--txt-record=long.example.com,' + 'x'.repeat(250) + ',' + 'y'.repeat(250) + ',' + 'z'.repeat(250)]);
  });
  afterAll(() => names.stop());

  it.each([
    { query: 'www.example.com A', end: 'passed' },
    { query: 'WWW.Example.com. A', end: 'passed' },
    { query: 'nowhere.example.com A', end: 'answered NXDOMAIN, expected NOERROR' },
    { query: 'long.example.com TXT', end: 'passed' },
    { query: 'elsewhere.test A', end: 'answered REFUSED, expected NOERROR' },
  ])('is asked for $query: $end', async ({ query: asked, end }) => {
    expect(await outcomeOf(dnsProbe, names.port, { query: asked })).toBe(end);
  });
});
