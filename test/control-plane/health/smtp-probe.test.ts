import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { smtpProbe, smtpScript } from '../../../src/control-plane/health/smtp-probe.ts';
import { OddBackend } from '../../support/odd-backends.ts';
import { outcomeOf } from '../../support/probe-once.ts';
import { hasProgram, RealServer } from '../../support/real-server.ts';
import { runOverSplits, runScript } from '../../support/script-runs.ts';

const script = (): ReturnType<typeof smtpScript> => smtpScript({ host: 'proxy.example.com' });

describe('an answer, in any pieces', () => {
  it.each([
    { answer: '220 mail ESMTP\r\n250-mail\r\n250-SIZE\r\n250 HELP\r\n', end: 'passed', said: 'EHLO proxy.example.com\r\nQUIT\r\n' },
    { answer: '220-mail\r\n220 ready\r\n250 mail\n', end: 'passed', said: 'EHLO proxy.example.com\r\nQUIT\r\n' },
    { answer: '220\r\n250\r\n', end: 'passed', said: 'EHLO proxy.example.com\r\nQUIT\r\n' },
    { answer: '220 old\r\n502 unknown\r\n250 hello\r\n', end: 'passed', said: 'EHLO proxy.example.com\r\nHELO proxy.example.com\r\nQUIT\r\n' },
    { answer: '421 too busy\r\n', end: 'greets with 421 too busy', said: 'QUIT\r\n' },
    { answer: '554-go\r\n554 away\r\n', end: 'greets with 554 go', said: 'QUIT\r\n' },
    { answer: '220 mail\r\n421 shutting down\r\n', end: 'answers EHLO with 421 shutting down', said: 'EHLO proxy.example.com\r\nQUIT\r\n' },
    { answer: '220 mail\r\n500 what\r\n550 no\r\n', end: 'answers HELO with 550 no', said: 'EHLO proxy.example.com\r\nHELO proxy.example.com\r\nQUIT\r\n' },
    { answer: '220 mail\r\n250-a\r\n251 b\r\n', end: 'malformed answer: its lines differ in their code', said: 'EHLO proxy.example.com\r\n' },
    { answer: 'SSH-2.0-OpenSSH_9.2\r\n', end: 'malformed answer: not SMTP', said: '' },
    { answer: '2200 mail\r\n', end: 'malformed answer: not SMTP', said: '' },
    { answer: '220 ma', end: 'waits', said: '' },
    { answer: `220 ${'x'.repeat(3000)}`, end: 'malformed answer: a line has no end', said: '' },
    { answer: '220-again\r\n'.repeat(7000), end: 'answer is larger than 65536 bytes', said: '' },
  ])('$answer: $end', ({ answer, end, said }) => {
    expect(runOverSplits(script, Buffer.from(answer))).toEqual({ end, said });
  });

  it.each([
    { answers: ['220 mail\r\n250-mail\r\n250 STARTTLS\r\n220 go\r\n', '250 mail\r\n'], end: 'passed', said: 'EHLO a\r\nSTARTTLS\r\n<TLS>EHLO a\r\nQUIT\r\n' },
    { answers: ['220 mail\r\n250 mail\r\n502 what\r\n'], end: 'answers STARTTLS with 502 what', said: 'EHLO a\r\nSTARTTLS\r\nQUIT\r\n' },
    { answers: ['220 mail\r\n250 mail\r\n220 go\r\n250 early\r\n'], end: 'malformed answer: it goes on in the clear after it agreed on TLS', said: 'EHLO a\r\nSTARTTLS\r\n' },
  ])('with tls: $end', ({ answers, end, said }) => {
    expect(runScript(smtpScript({ host: 'a' }, true), answers.map((answer) => Buffer.from(answer)))).toEqual({ end, said });
  });

  it('comes to the same for anything at all', () => {
    const words = fc.constantFrom('220 ', '220-', '250 ', '250-', '421', '502', '\r\n', '\n');
    fc.assert(fc.property(fc.array(fc.oneof(words, fc.string({ maxLength: 5 })), { maxLength: 8 }), (parts) => void runOverSplits(script, Buffer.from(parts.join('')))));
  });
});

it.each(['a\r\nRCPT TO:<x>', 'a b', ''])('a host that is more than one word is refused: %j', (host) => {
  expect(smtpProbe.options.safeParse({ host }).success).toBe(false);
});

describe('a server', () => {
  let backend: OddBackend;
  afterEach(() => backend.stop());

  it('is not spoken to before it has greeted', async () => {
    const early: string[] = [];
    backend = await OddBackend.start((socket) => {
      const listen = (bytes: Buffer): unknown => early.push(bytes.toString());
      socket.on('data', listen);
      setTimeout(() => {
        socket.off('data', listen).on('data', (bytes) => socket.write(bytes.toString().startsWith('EHLO') ? '250 ok\r\n' : '221 bye\r\n'));
        socket.write('220 ready\r\n');
      }, 20);
    });
    expect(await outcomeOf(smtpProbe, backend.port)).toBe('passed');
    expect(early).toEqual([]);
    await backend.idle();
    expect(backend.received).toBe('EHLO localhost\r\nQUIT\r\n');
    expect(backend.errors).toEqual([]);
  });
});

describe.skipIf(!hasProgram('aiosmtpd'))('a real server (Debian package python3-aiosmtpd)', () => {
  let mail: RealServer;
  beforeAll(async () => {
    mail = await RealServer.start('aiosmtpd', (port) => ['-n', '-l', `127.0.0.1:${port}`]);
  });
  afterAll(() => mail.stop());

  it('passes', async () => {
    expect(await outcomeOf(smtpProbe, mail.port, { host: '[127.0.0.1]' })).toBe('passed');
  });
});
