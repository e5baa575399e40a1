/**
 * The tier's key (`--tier-key`): with it configs and operator states carry an
 * HMAC, and what carries none, or another's, is not taken: who can write to the
 * store could otherwise steer traffic. HMAC-SHA256 (RFC 2104); what is signed
 * begins with what kind of thing it is, so that one cannot pass for the other.
 * The keys of session tickets, which nobody else may read, are in the store
 * only as this key has sealed them: AES-256-GCM under a key of their own.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';

/** Shorter ones can be guessed. */
export const TIER_KEY_BYTES_MIN = 16;

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

const sealedSchema = z.object({ sealed: z.string(), hmac: z.string() });

export class TierKey {
  readonly #key: Uint8Array;
  readonly #ticketsKey: Uint8Array;

  /** `secret`: the key file's content, TIER_KEY_BYTES_MIN bytes at least. */
  constructor(secret: Uint8Array) {
    this.#key = new Uint8Array(hkdfSync('sha256', secret, '', 'weir tier key', 32));
    this.#ticketsKey = new Uint8Array(hkdfSync('sha256', secret, '', 'weir keys of session tickets', 32));
  }

  signConfig(history: string, number: number, bytes: Uint8Array): string {
    return createHmac('sha256', this.#key).update(`config\n${history}\n${number}\n`).update(bytes).digest('hex');
  }

  isConfigSigned(history: string, number: number, bytes: Uint8Array, hmac: string | null): boolean {
    return hmac !== null && sameText(hmac, this.signConfig(history, number, bytes));
  }

  /** `STAMP_MS BY JSON` of an operator's word, with its HMAC in the JSON's place beside the JSON. */
  sealOperatorState(key: string, text: string): string {
    const [front, json] = parts(text);
    return `${front}${JSON.stringify({ sealed: json, hmac: this.#signOperatorState(key, text) })}`;
  }

  /** The text that was sealed; null: not by this key, or not for this entry. */
  openOperatorState(key: string, text: string): string | null {
    const [front, json] = parts(text);
    try {
      const { sealed, hmac } = sealedSchema.parse(JSON.parse(json));
      const opened = front + sealed;
      return sameText(hmac, this.#signOperatorState(key, opened)) ? opened : null;
    } catch {
      return null;
    }
  }

  /** One word. `tier`: its name, since two tiers may have been given one key. */
  sealTickets(tier: string, keys: Uint8Array): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(CIPHER, this.#ticketsKey, iv, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(`tickets\n${tier}`));
    const sealed = Buffer.concat([iv, cipher.update(keys), cipher.final(), cipher.getAuthTag()]);
    return sealed.toString('base64url');
  }

  /** null: not sealed by this key, or not for this tier. */
  openTickets(tier: string, text: string): Uint8Array | null {
    const sealed = Buffer.from(text, 'base64url');
    if (sealed.length < IV_BYTES + TAG_BYTES) return null;
    const end = sealed.length - TAG_BYTES;
    const decipher = createDecipheriv(CIPHER, this.#ticketsKey, sealed.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES }).setAAD(Buffer.from(`tickets\n${tier}`)).setAuthTag(sealed.subarray(end));
    try {
      return Uint8Array.from(Buffer.concat([decipher.update(sealed.subarray(IV_BYTES, end)), decipher.final()]));
    } catch {
      return null;
    }
  }

  /** For hashes of secrets that are shown: the same on all members, and nothing can be found by them. */
  get hashKey(): string {
    return createHmac('sha256', this.#key).update('effective hash').digest('hex');
  }

  #signOperatorState(key: string, text: string): string {
    return createHmac('sha256', this.#key).update(`operator\n${key}\n${text}`).digest('hex');
  }
}

/** What orders the entry, with its spaces, and the rest. */
function parts(text: string): [string, string] {
  const end = text.indexOf(' ', text.indexOf(' ') + 1) + 1;
  return [text.slice(0, end), text.slice(end)];
}

function sameText(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
