/** What an adapter of the tier's store exports for the registry. */
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { Log } from '../../observe/log.ts';
import type { TierStore } from './tier-store.ts';

export interface StoreOpening {
  /** `tier.store`. */
  readonly url: string;
  /** `tier.name`. */
  readonly tier: string;
  /** No answer for so long: the store is away. */
  readonly callTimeoutMs: number;
  /** A lost connection is made anew after a random part of this. */
  readonly reconnectWithinMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Pick<Log, 'warn'>;
}

export interface StoreDefinition {
  /** The file is named after it. */
  readonly name: string;
  /** One sentence for the reference page. */
  readonly summary: string;
  /** Whether `tier.store` of this text is this adapter's. */
  accepts(url: string): boolean;
  /** Does not connect yet: a proxy starts without its store. */
  open(opening: StoreOpening): TierStore;
}
