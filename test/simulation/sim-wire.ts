/**
 * A member's way to the store, and the store's own moods: steps and answers
 * arrive late or never, steps arrive twice, the store stands still or refuses.
 * A step that gets no answer in a third of a lease counts as away, as the real
 * adapter does; whether it was taken nobody knows.
 */
import type { Random } from '../../src/base/random.ts';
import { StoreAway, type StoreHint, type TierStore } from '../../src/control-plane/store/tier-store.ts';
import type { ProcessClock, SimClock } from './sim-clock.ts';

/** What the store does to everyone. */
export class StoreMood {
  /** Refuses every step with this reason; null: it answers. */
  refuses: string | null = null;
  /** Steps wait until it goes on; null: it is running. */
  #waiting: (() => void)[] | null = null;

  get isPaused(): boolean {
    return this.#waiting !== null;
  }

  pause(): void {
    this.#waiting ??= [];
  }

  resume(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const run of waiting) run();
  }

  whenRunning(run: () => void): void {
    if (this.#waiting === null) run();
    else this.#waiting.push(run);
  }
}

/** What the network between one member and the store does; zero for all of it is a perfect one. */
export interface Weather {
  readonly delayMs: number;
  readonly lostShare: number;
  readonly doubledShare: number;
  readonly hintsLostShare: number;
}

export const FAIR: Weather = { delayMs: 1, lostShare: 0, doubledShare: 0, hintsLostShare: 0 };

interface WireParts {
  readonly sim: SimClock;
  readonly process: ProcessClock;
  readonly random: Random;
  readonly mood: StoreMood;
  readonly answerWithinMs: number;
}

export class SimWire {
  isCut = false;
  weather = FAIR;
  readonly #parts: WireParts;

  constructor(parts: WireParts) {
    this.#parts = parts;
  }

  to(store: TierStore): TierStore {
    return new Proxy(store, {
      get: (target, name) => {
        const found = Reflect.get(target, name, target) as unknown;
        if (typeof found !== 'function' || name === 'close') return found;
        if (name === 'subscribe') return (onHint: (hint: StoreHint) => void) => target.subscribe((hint) => this.#bring(hint, onHint));
        const mayDouble = name === 'call' || name === 'join';
        return (...args: unknown[]): Promise<unknown> => this.#send(() => (found as (...all: unknown[]) => Promise<unknown>).apply(target, args), mayDouble);
      },
    });
  }

  #bring(hint: StoreHint, onHint: (hint: StoreHint) => void): void {
    const { process, random, mood } = this.#parts;
    if (this.isCut || mood.isPaused || random.next() < this.weather.hintsLostShare) return;
    process.after(this.#delayMs(), () => onHint(hint));
  }

  #send(step: () => Promise<unknown>, mayDouble: boolean): Promise<unknown> {
    const { sim, process, random, mood, answerWithinMs } = this.#parts;
    return new Promise((resolve, reject) => {
      const timer = process.after(answerWithinMs, () => reject(new StoreAway(`no answer in ${answerWithinMs} ms`)));
      const answer = (settle: () => void): void => {
        if (this.isCut || random.next() < this.weather.lostShare) return;
        process.after(this.#delayMs(), () => {
          timer.cancel();
          settle();
        });
      };
      const arrive = (): void =>
        mood.whenRunning(() => {
          if (mood.refuses !== null) {
            const { refuses } = mood;
            return answer(() => reject(new StoreAway(refuses)));
          }
          step().then(
            (result) => answer(() => resolve(result)),
            (error: Error) => answer(() => reject(error)),
          );
        });
      if (this.isCut || random.next() < this.weather.lostShare) return;
      sim.after(this.#delayMs(), arrive);
      if (mayDouble && random.next() < this.weather.doubledShare) sim.after(this.#delayMs() + 20 * random.next(), () => mood.whenRunning(() => void step().catch(() => undefined)));
    });
  }

  #delayMs(): number {
    return 0.1 + this.weather.delayMs * 2 * this.#parts.random.next();
  }
}
