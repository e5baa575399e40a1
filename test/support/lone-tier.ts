/** A tier of one over a store in memory, as `tier.store: none` makes it. */
import { systemRandom } from '../../src/base/random.ts';
import { systemClock, type Clock } from '../../src/base/clock.ts';
import type { Membership, MembershipEvents } from '../../src/control-plane/membership/membership.ts';
import { TierLink } from '../../src/control-plane/membership/tier-link.ts';
import { TierMemoryStore } from '../../src/control-plane/store/tier-memory-store.ts';
import type { TierStore } from '../../src/control-plane/store/tier-store.ts';

export interface LoneTierOptions {
  readonly clock?: Clock;
  readonly store?: TierStore;
  readonly id?: string;
}

export function joinAlone({ clock = systemClock, store = new TierMemoryStore({ clock }), id = 'a' }: LoneTierOptions = {}): (events: MembershipEvents) => Membership {
  return (events) => {
    const link = new TierLink({
      store,
      id,
      previousIncarnation: null,
      history: () => null,
      clock,
      random: systemRandom,
      timing: () => ({ heartbeatMs: 1000, leaseMs: 3000, probers: 3 }),
      record: { zone: '', addresses: [], software: 'x', sinceMs: 0 },
      log: { warn: () => undefined, error: () => undefined },
      events,
    });
    link.setState('ready');
    return link;
  };
}
