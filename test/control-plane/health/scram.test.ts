import { expect, it } from 'vitest';
import { ScramLogin } from '../../../src/control-plane/health/scram.ts';
import type { Talk } from '../../../src/control-plane/health/talk-script.ts';
import { runScript } from '../../support/script-runs.ts';

/** The exchange of RFC 7677 §3. */
const NONCE = 'rOprNGfwEbeRWgbNEkqO';
const CHALLENGE = `r=${NONCE}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`;
const FINAL = `c=biws,r=${NONCE}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`;
const SIGNATURE = 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=';

/** What the client answers to `challenge`, or why it does not. */
function answerTo(challenge: string, login = new ScramLogin('user', 'pencil', NONCE)): string {
  function* script(): Talk {
    return { passed: true, goodbye: Buffer.from(yield* login.final(challenge)) };
  }
  const { end, said } = runScript(script(), []);
  return end === 'passed' ? said : end;
}

it('is that of RFC 7677', () => {
  const login = new ScramLogin('user', 'pencil', NONCE);
  expect(login.first).toBe(`n,,n=user,r=${NONCE}`);
  expect(login.isProvenBy(SIGNATURE)).toBe(false);
  expect(answerTo(CHALLENGE, login)).toBe(FINAL);
  expect(login.isProvenBy(SIGNATURE)).toBe(true);
});

it.each(['', 'v=', 'e=invalid-proof', 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95H4=', SIGNATURE.slice(0, -5), `x,${SIGNATURE}`])('no other end proves anything: %j', (text) => {
  const login = new ScramLogin('user', 'pencil', NONCE);
  answerTo(CHALLENGE, login);
  expect(login.isProvenBy(text)).toBe(false);
});

it.each([
  { challenge: '', why: 'malformed SCRAM challenge' },
  { challenge: CHALLENGE.replace('i=4096', 'i=0'), why: 'malformed SCRAM challenge' },
  { challenge: CHALLENGE.replace('i=4096', 'i=-1'), why: 'malformed SCRAM challenge' },
  { challenge: CHALLENGE.replace('s=W22Z', 's=*22Z'), why: 'malformed SCRAM challenge' },
  { challenge: `m=must,${CHALLENGE}`, why: 'malformed SCRAM challenge' },
  { challenge: CHALLENGE.replace('i=4096', 'i=100001'), why: 'SCRAM asks for 100001 iterations; 100000 at most are done' },
  { challenge: CHALLENGE.replace('i=4096', 'i=9999999999'), why: 'SCRAM asks for 9999999999 iterations; 100000 at most are done' },
  { challenge: CHALLENGE.replace(NONCE, 'somebody-else'), why: 'SCRAM challenge is not for this login' },
  { challenge: `r=${NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`, why: 'SCRAM challenge is not for this login' },
])('$challenge is refused: $why', ({ challenge, why }) => {
  expect(answerTo(challenge)).toBe(why);
});

it('escapes a name, and prepares a password as the server did', () => {
  expect(new ScramLogin('a=b,c', 'x', NONCE).first).toBe(`n,,n=a=3Db=2Cc,r=${NONCE}`);
  const answerOf = (password: string): string => answerTo(CHALLENGE, new ScramLogin('user', password, NONCE));
  // RFC 4013 §3: soft hyphens vanish, compatible forms are one, case stays; what is forbidden is left alone.
  expect(answerOf('I\u00adX')).toBe(answerOf('IX'));
  expect(answerOf('\u2168')).toBe(answerOf('IX'));
  expect(answerOf('a\u00a0b')).toBe(answerOf('a b'));
  expect(answerOf('IX')).not.toBe(answerOf('ix'));
  expect(answerOf('\u0007\u2168')).not.toBe(answerOf('\u0007IX'));
});
