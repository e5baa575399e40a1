/**
 * The tier's config as an operator sees it and acts on it, for the admin
 * interface: where it stands, what has been published, a version's bytes, and
 * publishing. What asks the store rejects with StoreAway.
 */
import type { Membership } from '../membership/membership.ts';
import type { PublishOutcome, PublishRequest } from './config-publisher.ts';
import { readConfig, readVersion, type TierConfig } from './config-texts.ts';
import type { TierRollout } from './tier-rollout.ts';

export interface ConfigStanding {
  /** null: no tier has committed what runs here. */
  readonly history: string | null;
  /** Number of the tier's committed version; null: not known. */
  readonly head: number | null;
  readonly rollout: { readonly number: number; readonly phase: 'validate' | 'canary'; readonly by: string; readonly canaries: readonly string[] } | null;
  /** Why the committed version does not run here; '': it does, as far as is known. */
  readonly failure: string;
  /** The last version published through this member that the tier did not take. */
  readonly lastRefusal: { readonly number: number; readonly reason: string } | null;
}

export interface PublishedVersion {
  readonly number: number;
  readonly sha: string;
  readonly by: string;
  /** Wall time; 0: not known. */
  readonly atMs: number;
  readonly parent: number | null;
  readonly rollbackOf: number | null;
  /** `published`: in a rollout, or one that the tier did not take. */
  readonly state: 'committed' | 'published';
}

export class ConfigDesk {
  readonly #rollout: TierRollout;
  readonly #membership: Membership;

  constructor(rollout: TierRollout, membership: Membership) {
    this.#rollout = rollout;
    this.#membership = membership;
  }

  standing(): ConfigStanding {
    const config = this.#config();
    const { own, failure } = this.#rollout;
    const rollout = config?.rollout ?? null;
    const canaries = rollout?.text.phase === 'canary' ? rollout.text.members.map(({ id }) => id) : [];
    return {
      history: own?.history ?? null,
      head: config?.head?.number ?? (own === null || own.history === null ? null : own.number),
      rollout: rollout === null ? null : { number: rollout.number, phase: rollout.text.phase, by: rollout.text.by, canaries },
      failure: failure?.reason ?? '',
      lastRefusal: this.#rollout.publisher.lastRefusal,
    };
  }

  /** Newest first. A version was committed if it is the head, or one that a committed one followed. */
  async versions(): Promise<readonly PublishedVersion[]> {
    const stored = await this.#membership.store.versions();
    let next = this.#config()?.head?.number ?? null;
    return stored.map(({ number, sha, text }) => {
      const { by = '', atMs = 0, parent = null, rollbackOf = null } = readVersion(text) ?? {};
      const isCommitted = number === next;
      if (isCommitted) next = parent;
      return { number, sha, by, atMs, parent, rollbackOf, state: isCommitted ? 'committed' : 'published' };
    });
  }

  /** null: neither the store has it nor this member. */
  async bytes(number: number): Promise<Uint8Array | null> {
    const held = [this.#rollout.own, this.#rollout.current].find((version) => version?.number === number && version.history !== null);
    if (held !== undefined && held !== null) return held.bytes;
    return (await this.#membership.store.version(number))?.bytes ?? null;
  }

  publish(request: PublishRequest): Promise<PublishOutcome> {
    return this.#rollout.publisher.publish(request);
  }

  rollBack(to: number, by: string): Promise<PublishOutcome> {
    return this.#rollout.publisher.rollBack(to, by);
  }

  adopt(): Promise<void> {
    return this.#rollout.adopt();
  }

  #config(): TierConfig | null {
    const { config } = this.#membership;
    return config === null ? null : readConfig(config);
  }
}
