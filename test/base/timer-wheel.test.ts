import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { Deadline, TICK_MS, TimerWheel } from '../../src/base/timer-wheel.ts';

class Holder extends Deadline {
  readonly firedAt: number[] = [];
  readonly #wheel: TimerWheel;

  constructor(wheel: TimerWheel) {
    super();
    this.#wheel = wheel;
  }

  onDeadline(): void {
    this.firedAt.push(this.#wheel.now);
  }
}

function turn(wheel: TimerWheel, ticks: number): void {
  for (let i = 0; i < ticks; i++) wheel.advance();
}

describe('the timer wheel', () => {
  it('fires once, not before its time and at most a tick late', () => {
    const wheel = new TimerWheel();
    const holder = new Holder(wheel);
    wheel.set(holder, 5 * TICK_MS);
    turn(wheel, 100);
    expect(holder.firedAt).toEqual([7]); // now was 1; five ticks, and one for the part of a tick that had passed
  });

  it('0 is no deadline, and takes back the former one', () => {
    const wheel = new TimerWheel();
    const holder = new Holder(wheel);
    wheel.set(holder, TICK_MS);
    wheel.set(holder, 0);
    turn(wheel, 50);
    expect(holder.firedAt).toEqual([]);
  });

  it('a deadline farther than the wheel is long', () => {
    const wheel = new TimerWheel();
    const holder = new Holder(wheel);
    wheel.set(holder, 3_600_000);
    turn(wheel, 36_000);
    expect(holder.firedAt).toEqual([]);
    turn(wheel, 2);
    expect(holder.firedAt).toHaveLength(1);
  });

  it('follows every move, earlier and later, however often', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat({ max: 300 }), fc.nat({ max: 30 })), { maxLength: 40 }), (moves) => {
        const wheel = new TimerWheel();
        const holder = new Holder(wheel);
        let due = 0;
        const expected: number[] = [];
        const advance = (ticks: number): void => {
          for (let i = 0; i < ticks; i++) {
            wheel.advance();
            if (due !== 0 && wheel.now >= due) {
              expected.push(due);
              due = 0;
            }
          }
        };
        for (const [delayTicks, ticks] of moves) {
          wheel.set(holder, delayTicks * TICK_MS);
          due = delayTicks === 0 ? 0 : wheel.now + delayTicks + 1;
          advance(ticks);
        }
        advance(400);
        expect(holder.firedAt).toEqual(expected);
      }),
    );
  });

  it('a holder that is forgotten is neither called nor kept alive', () => {
    const wheel = new TimerWheel();
    const [first, forgotten, last] = [new Holder(wheel), new Holder(wheel), new Holder(wheel)];
    for (const holder of [first, forgotten, last]) wheel.set(holder, 5 * TICK_MS);
    wheel.forget(forgotten);
    expect(first.nextFiled).toBe(last);
    expect(forgotten.nextFiled).toBe(forgotten);
    turn(wheel, 50);
    expect([first, forgotten, last].map((holder) => holder.firedAt.length)).toEqual([1, 0, 1]);
  });

  it('a holder may forget another of the same tick as it fires', () => {
    const wheel = new TimerWheel();
    const last = new Holder(wheel);
    class Forgetting extends Deadline {
      onDeadline(): void {
        wheel.forget(last);
      }
    }
    wheel.set(new Forgetting(), TICK_MS);
    wheel.set(last, TICK_MS);
    turn(wheel, 50);
    expect(last.firedAt).toEqual([]);
  });

  it('a holder may set itself anew as it fires', () => {
    const wheel = new TimerWheel();
    let count = 0;
    class Repeating extends Deadline {
      onDeadline(): void {
        if (++count < 3) wheel.set(this, TICK_MS);
      }
    }
    wheel.set(new Repeating(), TICK_MS);
    turn(wheel, 50);
    expect(count).toBe(3);
  });
});
