/**
 * A version's bytes from the store, believed only if they are those of the sha
 * that was asked for and, where the tier has a key, signed with it. The last
 * one is kept: what was checked in a rollout is run a moment later.
 */
import { createHash } from 'node:crypto';
import type { TierStore } from '../store/tier-store.ts';
import type { CommittedConfig } from './last-known-good.ts';
import { readVersion } from './config-texts.ts';
import type { TierKey } from './tier-key.ts';

export type FetchedVersion =
  | { readonly kind: 'fetched'; readonly version: CommittedConfig }
  /** The store does not have it, or not whole. */
  | { readonly kind: 'missing'; readonly reason: string }
  | { readonly kind: 'wrong-key'; readonly reason: string };

export interface VersionName {
  readonly history: string;
  readonly number: number;
  /** null: whatever it is, as long as it is whole. */
  readonly sha: string | null;
}

export class VersionFetcher {
  readonly #store: Pick<TierStore, 'version'>;
  readonly #key: TierKey | null;
  #last: CommittedConfig | null = null;

  constructor(store: Pick<TierStore, 'version'>, key: TierKey | null) {
    this.#store = store;
    this.#key = key;
  }

  /** Rejects with StoreAway. */
  async fetch({ history, number, sha }: VersionName): Promise<FetchedVersion> {
    const last = this.#last;
    if (last !== null && last.history === history && last.number === number && (sha === null || last.sha === sha)) return { kind: 'fetched', version: last };
    const stored = await this.#store.version(number);
    if (stored === null) return { kind: 'missing', reason: `the store has no version ${number}` };
    if ((sha !== null && stored.sha !== sha) || sha256(stored.bytes) !== stored.sha) return { kind: 'missing', reason: `the store's version ${number} is not what its sha says` };
    const hmac = readVersion(stored.text)?.hmac ?? null;
    if (this.#key !== null && !this.#key.isConfigSigned(history, number, stored.bytes, hmac)) {
      return { kind: 'wrong-key', reason: `wrong key: version ${number} ${hmac === null ? 'is not signed' : 'was signed with another'}` };
    }
    this.#last = { history, number, sha: stored.sha, version: stored.text, bytes: stored.bytes };
    return { kind: 'fetched', version: this.#last };
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
