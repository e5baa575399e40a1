/**
 * When a backend is drained in the whole tier: each living member has seen the
 * operator's word and has nothing of its own left on it. Members say both
 * beside their record at each heartbeat; what one says may be a heartbeat old,
 * and who has said nothing yet is named rather than passed over. Pure.
 */
import type { Beside } from './membership/beside.ts';

export interface TierDrain {
  readonly drained: boolean;
  /** Requests and connections in use, over all members heard. */
  readonly inFlight: number;
  /** Members that still have some. */
  readonly busy: readonly string[];
  /** Members that have not been heard since the word was given. */
  readonly unheard: readonly string[];
}

/** `members`: the living ones. `key` and `stampMs` name the operator's word. */
export function tierDrain(key: string, stampMs: number, members: Iterable<string>, besides: ReadonlyMap<string, Beside>): TierDrain {
  const busy: string[] = [];
  const unheard: string[] = [];
  let inFlight = 0;
  for (const member of [...members].sort()) {
    const said = besides.get(member)?.draining?.[key];
    if (said === undefined || said.stampMs < stampMs) {
      unheard.push(member);
    } else if (said.inFlight > 0) {
      busy.push(member);
      inFlight += said.inFlight;
    }
  }
  return { drained: busy.length === 0 && unheard.length === 0, inFlight, busy, unheard };
}
