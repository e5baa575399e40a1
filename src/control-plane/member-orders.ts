/**
 * What operators said of whole members: `drain`, or `ready` again. The word
 * lies among the tier's operator states under `@member ID`, as `STAMP_MS BY
 * JSON`, so that it reaches a member that cannot be asked itself, holds over
 * its restarts until it is taken back, and comes again to a store that lost it.
 * The member it names follows it; the others only know of it. Of two words the
 * newer stands. With a key the word is signed like any other operator's, and
 * what is not is passed over. Main thread only; there is none without a store.
 */
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../observe/log.ts';
import type { OperatorSeal } from './operator-states.ts';
import type { OperatorPut } from './store/tier-store.ts';

/** No pool has such a name, so no backend has such a key. */
const KEY_FRONT = '@member ';
/** As long as the admin interface takes one. */
const REASON_CHARS_MAX = 500;

export interface MemberOrder {
  readonly member: string;
  readonly state: 'drain' | 'ready';
  readonly reason: string;
  /** Member that was asked for it. */
  readonly by: string;
  /** Wall time of that member. */
  readonly stampMs: number;
}

export interface MemberOrdersOptions {
  readonly clock: Clock;
  /** `--node`. */
  readonly node: string;
  /** null: the tier has no key. */
  readonly seal: OperatorSeal | null;
  readonly log: Pick<Log, 'warn'>;
  /** Tells the tier. */
  readonly put: (entry: OperatorPut) => void;
  /** A newer word on this very member, said here or read. */
  readonly follow: (order: MemberOrder) => void;
}

const wordSchema = z.object({ state: z.enum(['drain', 'ready']), reason: z.string().max(REASON_CHARS_MAX) });

export class MemberOrders {
  readonly #options: MemberOrdersOptions;
  readonly #newest = new Map<string, MemberOrder>();

  constructor(options: MemberOrdersOptions) {
    this.#options = options;
  }

  /** The newest word; null: nobody has said one. */
  get(member: string): MemberOrder | null {
    return this.#newest.get(member) ?? null;
  }

  /** `reason` is short and for people. */
  set(member: string, state: MemberOrder['state'], reason: string): void {
    const { clock, node, seal, put } = this.#options;
    // A clock that was set back must not make the newer word lose.
    const stampMs = Math.max(Math.round(clock.wallMs()), (this.get(member)?.stampMs ?? 0) + 1);
    const key = KEY_FRONT + member;
    const text = `${stampMs} ${nameOf(node)} ${JSON.stringify({ state, reason })}`;
    this.#take({ member, state, reason, by: nameOf(node), stampMs });
    put({ key, stampMs, by: nameOf(node), text: seal === null ? text : seal.sealOperatorState(key, text) });
  }

  /** The tier's word, or that of any operator on anything else; an older one than is known, or its absence, changes nothing. */
  accept(key: string, text: string | null): void {
    if (text === null || !key.startsWith(KEY_FRONT)) return;
    const { seal, log } = this.#options;
    const opened = seal === null ? text : seal.openOperatorState(key, text);
    const order = opened === null ? null : parseOrder(key.slice(KEY_FRONT.length), opened);
    if (order === null) {
      log.warn("an operator's word on a member is passed over", { key, cause: opened === null ? "it is not signed with the tier's key" : 'not in the expected form' });
      return;
    }
    const former = this.get(order.member);
    if (former === null || isNewer(order, former)) this.#take(order);
  }

  #take(order: MemberOrder): void {
    this.#newest.set(order.member, order);
    if (order.member === this.#options.node) this.#options.follow(order);
  }
}

function isNewer(order: MemberOrder, former: MemberOrder): boolean {
  return order.stampMs === former.stampMs ? order.by > former.by : order.stampMs > former.stampMs;
}

/** null: not of that form. */
function parseOrder(member: string, text: string): MemberOrder | null {
  const [, stampMs, by, json] = /^(\d{1,16}) (\S+) (.*)$/s.exec(text) ?? [];
  if (by === undefined || json === undefined) return null;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return null;
  }
  const word = wordSchema.safeParse(value);
  return word.success ? { member, ...word.data, by, stampMs: Number(stampMs) } : null;
}

/** As it stands in the text, where a space ends it. */
function nameOf(by: string): string {
  return by.replaceAll(/\s+/g, '_') || '-';
}
