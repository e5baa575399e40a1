/**
 * One member's way to a store that misbehaves between the two: away, late,
 * losing calls or answers, doubling calls. What other members see of the store
 * is not touched. It keeps what was said on it.
 */
import type { Clock } from '../../src/base/clock.ts';
import { StoreAway, type JoinCall, type JoinAnswer, type StoreAnswer, type StoreCall, type StoreHint, type TierStore } from '../../src/control-plane/store/tier-store.ts';

export class FickleTierStore {
  readonly calls: StoreCall[] = [];
  /** When each of those was made. */
  readonly callTimesMs: number[] = [];
  readonly answers: StoreAnswer[] = [];
  readonly joins: JoinCall[] = [];
  readonly joinAnswers: JoinAnswer[] = [];
  /** How often it was to change the keys of session tickets. */
  ticketPuts = 0;
  /** Why it is away; null: it is not. */
  away: string | null = null;
  /** Answers come so much later. */
  lateMs = 0;
  /** The step is taken, its answer never comes. */
  losesAnswers = false;
  /** Neither reaches the other. */
  losesCalls = false;
  /** Each call arrives twice, the second time so much later. */
  doubledAfterMs: number | null = null;
  losesHints = false;
  /** Steps under way. */
  underWay = 0;
  underWayMax = 0;
  /** Changes what the member is told. */
  alter: (answer: StoreAnswer) => StoreAnswer = (answer) => answer;
  readonly store: TierStore;
  readonly #clock: Clock;

  constructor(inner: TierStore, clock: Clock) {
    this.#clock = clock;
    const own: Partial<TierStore> = {
      call: (call) => {
        this.calls.push(call);
        this.callTimesMs.push(clock.monotonicMs());
        return this.#pass(async () => {
          const answer = this.alter(await inner.call(call));
          this.answers.push(answer);
          return answer;
        });
      },
      join: (call) => {
        this.joins.push(call);
        return this.#pass(async () => {
          const answer = await inner.join(call);
          this.joinAnswers.push(answer);
          return answer;
        });
      },
      putTickets: (call) => {
        this.ticketPuts++;
        return this.#pass(() => inner.putTickets(call));
      },
      leave: (caller) => this.#pass(() => inner.leave(caller)),
      subscribe: (onHint: (hint: StoreHint) => void) =>
        inner.subscribe((hint) => {
          if (!this.losesHints) onHint(hint);
        }),
    };
    this.store = new Proxy(inner, {
      get: (target, key) => {
        const value: unknown = Reflect.get(own, key) ?? Reflect.get(target, key);
        return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
      },
    });
  }

  async #pass<T>(step: () => Promise<T>): Promise<T> {
    this.underWayMax = Math.max(this.underWayMax, ++this.underWay);
    try {
      if (this.away !== null) throw new StoreAway(this.away);
      if (this.losesCalls) return await never<T>();
      const answer = await step();
      if (this.doubledAfterMs !== null) this.#clock.after(this.doubledAfterMs, () => void step().catch(() => undefined));
      if (this.losesAnswers) return await never<T>();
      if (this.lateMs > 0) await new Promise<void>((resolve) => this.#clock.after(this.lateMs, resolve));
      return answer;
    } finally {
      this.underWay--;
    }
  }
}

function never<T>(): Promise<T> {
  return new Promise<T>(() => undefined);
}
