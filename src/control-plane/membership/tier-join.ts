/**
 * How a proxy becomes a member: it asks under a new incarnation, naming the one
 * it was before. A join whose answer was lost may have been granted, so that
 * one counts among those it was. Refused, it says why in plain words; the
 * caller asks again later.
 */
import { PROTOCOL, PROTOCOL_MIN, type JoinAnswer, type JoinCall } from '../store/tier-store.ts';

export interface TierJoinOptions {
  readonly member: string;
  /** Of the disk; null: it names none. */
  readonly previous: string | null;
  readonly newIncarnation: () => string;
  readonly join: (call: JoinCall) => Promise<JoinAnswer>;
}

export type JoinOutcome =
  | { readonly kind: 'joined'; readonly incarnation: string; readonly tierMs: number; readonly run: string }
  /** Ask again after so long. */
  | { readonly kind: 'wait'; readonly waitMs: number }
  | { readonly kind: 'refused'; readonly reason: string };

/** Joins without an answer that are remembered. */
const UNANSWERED_MAX = 3;

export class TierJoin {
  readonly #options: TierJoinOptions;
  /** The incarnation that was last known to live. */
  #former: string | null;
  /** Later ones, of joins that were not answered; newest first. */
  #unanswered: string[] = [];
  /** Which of those to name: others were refused. */
  #naming = 0;

  constructor(options: TierJoinOptions) {
    this.#options = options;
    this.#former = options.previous;
  }

  /** Rejects when the store is away. */
  async attempt(terms: Pick<JoinCall, 'leaseMs' | 'record' | 'history'>): Promise<JoinOutcome> {
    const { member, newIncarnation, join } = this.#options;
    const incarnation = newIncarnation();
    const names = [...this.#unanswered, this.#former];
    const call: JoinCall = { ...terms, member, incarnation, previous: names[this.#naming] ?? null, protocol: PROTOCOL, protocolMin: PROTOCOL_MIN };
    let answer: JoinAnswer;
    try {
      answer = await join(call);
    } catch (error) {
      this.#unanswered = [incarnation, ...this.#unanswered].slice(0, UNANSWERED_MAX);
      this.#naming = 0;
      throw error;
    }
    if (answer.kind === 'wait') return answer;
    if (answer.kind === 'taken' && this.#naming < names.length - 1) {
      this.#naming++;
      return { kind: 'wait', waitMs: 0 };
    }
    this.#naming = 0;
    if (answer.kind !== 'joined') return { kind: 'refused', reason: this.#why(answer) };
    this.#former = incarnation;
    this.#unanswered = [];
    return { ...answer, incarnation };
  }

  #why(answer: Exclude<JoinAnswer, { kind: 'joined' | 'wait' }>): string {
    switch (answer.kind) {
      case 'taken':
        return `the id ${this.#options.member} is in use by another proxy`;
      case 'history':
        return `the tier's config has another history (${answer.history}) than the one on this proxy's disk`;
      case 'protocol':
        return `the tier speaks protocol ${answer.protocol}, this release ${PROTOCOL_MIN} to ${PROTOCOL}`;
    }
  }
}
