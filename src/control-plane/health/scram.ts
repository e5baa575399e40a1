/**
 * The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel
 * binding: what is said, and whether the backend proved that it knows the
 * password too. Pure but for the key derivation, which takes milliseconds by
 * design and therefore is a `compute` step of talk-script.ts. Called by the
 * probes of protocols that log in with it; throws BadAnswer for whatever the
 * backend gets wrong.
 */
import { createHash, createHmac, pbkdf2, pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { BadAnswer, compute, type Talk } from './talk-script.ts';

export const SCRAM_SHA_256 = 'SCRAM-SHA-256';
/** Servers store 4,096. A derivation of 100,000 holds a thread of the pool for some 40 ms; a backend may not ask for more. */
const ITERATIONS_MAX = 100_000;
const KEY_BYTES = 32;
/** "n,,": no channel binding, and no other identity than the login's own. */
const GS2_HEADER = 'n,,';
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const derive = promisify(pbkdf2);

export class ScramLogin {
  readonly #clientFirstBare: string;
  readonly #nonce: string;
  readonly #password: string;
  #serverSignature: Buffer | null = null;

  /** `nonce`: printable text without commas, never used twice. `user`: '' where the protocol has named it already. */
  constructor(user: string, password: string, nonce: string) {
    this.#nonce = nonce;
    this.#password = saslPrepared(password);
    this.#clientFirstBare = `n=${user.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`;
  }

  /** client-first-message. */
  get first(): string {
    return GS2_HEADER + this.#clientFirstBare;
  }

  /** client-final-message, the answer to server-first-message. */
  *final(serverFirst: string): Talk<string> {
    const parts = /^r=([\x21-\x2b\x2d-\x7e]+),s=([^,]+),i=([1-9]\d{0,9})(?:,|$)/.exec(serverFirst);
    const [, nonce = '', salt = '', count = ''] = parts ?? [];
    if (parts === null || !BASE64.test(salt)) throw new BadAnswer('malformed SCRAM challenge');
    // The nonce proves that the challenge was made for this login; the same one back would be a replay.
    if (!nonce.startsWith(this.#nonce) || nonce === this.#nonce) throw new BadAnswer('SCRAM challenge is not for this login');
    const iterations = Number(count);
    if (iterations > ITERATIONS_MAX) throw new BadAnswer(`SCRAM asks for ${iterations} iterations; ${ITERATIONS_MAX} at most are done`);
    const work = [this.#password, Buffer.from(salt, 'base64'), iterations, KEY_BYTES, 'sha256'] as const;
    const saltedPassword = yield* compute({ later: () => derive(...work), now: () => pbkdf2Sync(...work) });
    const withoutProof = `c=${Buffer.from(GS2_HEADER).toString('base64')},r=${nonce}`;
    const authMessage = `${this.#clientFirstBare},${serverFirst},${withoutProof}`;
    const clientKey = hmac(saltedPassword, 'Client Key');
    const proof = xor(clientKey, hmac(createHash('sha256').update(clientKey).digest(), authMessage));
    this.#serverSignature = hmac(hmac(saltedPassword, 'Server Key'), authMessage);
    return `${withoutProof},p=${proof.toString('base64')}`;
  }

  /** Whether server-final-message comes from one that knows the password. */
  isProvenBy(serverFinal: string): boolean {
    const signature = Buffer.from(/^v=([A-Za-z0-9+/]+=*)(?:,|$)/.exec(serverFinal)?.[1] ?? '', 'base64');
    return this.#serverSignature !== null && signature.length === KEY_BYTES && timingSafeEqual(signature, this.#serverSignature);
  }
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest();
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, i) => byte ^ b[i]!));
}

/**
 * SASLprep (RFC 4013) as servers do it to the password they store: odd spaces
 * are spaces, what is invisible is dropped, and compatible forms are one. A
 * password that may not be prepared is taken as it is, as PostgreSQL does.
 */
function saslPrepared(password: string): string {
  if (/^[\x20-\x7e]*$/.test(password)) return password;
  const spaced = password.replaceAll(/[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g, ' ');
  // eslint-disable-next-line no-misleading-character-class -- each of these stands for itself
  const mapped = spaced.replaceAll(/[\u00ad\u034f\u1806\u180b-\u180d\u200c\u200d\u2060\ufe00-\ufe0f\ufeff]/g, '');
  const prepared = mapped.normalize('NFKC');
  return prepared === '' || /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}]/u.test(prepared) ? password : prepared;
}
