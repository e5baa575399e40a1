/**
 * This proxy's side of its tier as one piece: the store that `tier.store` names
 * and the link over it. With `store: none` it is the same over a store in this
 * process's memory. Whoever makes it lets the parts listen through `subscribe`
 * before the turn of the loop ends, and closes it.
 */
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { TierPace } from '../../control-plane/health/duty.ts';
import type { MemberRecord, MembershipEvents } from '../../control-plane/membership/membership.ts';
import { TierLink } from '../../control-plane/membership/tier-link.ts';
import type { StoreDefinition } from '../../control-plane/store/store-definition.ts';
import type { TierStore } from '../../control-plane/store/tier-store.ts';
import type { Log } from '../../observe/log.ts';
import type { TierSpec } from '../../shared/snapshot.ts';

export interface TierSideOptions {
  readonly definition: StoreDefinition;
  /** As the process starts; of it name and store stay, the rest is asked of `pace`. */
  readonly tier: TierSpec;
  /** `--node`. */
  readonly node: string;
  readonly record: Pick<MemberRecord, 'zone' | 'addresses' | 'software' | 'sinceMs'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Pick<Log, 'warn' | 'error'>;
  /** Of the running config. */
  readonly pace: () => TierPace;
  /** The incarnation that the disk names; null: none. */
  readonly previousIncarnation: string | null;
  readonly history: () => string | null;
  readonly onJoined?: (incarnation: string) => void;
}

export class TierSide {
  readonly membership: TierLink;
  readonly #store: TierStore;
  readonly #listeners: Partial<MembershipEvents>[] = [];

  constructor(options: TierSideOptions) {
    const { definition, tier, node, record, clock, random, log, pace, previousIncarnation, history, onJoined } = options;
    this.#store = definition.open({ url: tier.store, tier: tier.name, callTimeoutMs: tier.leaseMs / 3, reconnectWithinMs: tier.heartbeatMs, clock, random, log });
    const events: MembershipEvents = {
      onVerdict: (check, entry) => this.#tell((listener) => listener.onVerdict?.(check, entry)),
      onRole: (pool, record) => this.#tell((listener) => listener.onRole?.(pool, record)),
      onTickets: (text) => this.#tell((listener) => listener.onTickets?.(text)),
      onRead: (sentMs) => this.#tell((listener) => listener.onRead?.(sentMs)),
      onOperatorState: (key, text) => this.#tell((listener) => listener.onOperatorState?.(key, text)),
      onMembers: () => this.#tell((listener) => listener.onMembers?.()),
      onSuspicions: (checks) => this.#tell((listener) => listener.onSuspicions?.(checks)),
      onConfig: (state) => this.#tell((listener) => listener.onConfig?.(state)),
      onState: (state) => this.#tell((listener) => listener.onState?.(state)),
    };
    this.membership = new TierLink({
      store: this.#store,
      id: node,
      previousIncarnation,
      history,
      clock,
      random,
      timing: pace,
      record,
      events,
      log,
      ...(onJoined === undefined ? {} : { onJoined }),
    });
  }

  /** `events` are told in the order in which they were given. */
  subscribe(events: Partial<MembershipEvents>): void {
    this.#listeners.push(events);
  }

  /** Leaves the tier, if the store answers in time. */
  async close(): Promise<void> {
    await this.membership.stop();
    await this.#store.close();
  }

  #tell(tell: (listener: Partial<MembershipEvents>) => void): void {
    for (const listener of this.#listeners) tell(listener);
  }
}
