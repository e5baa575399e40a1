import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { EventLog, type EventBody } from '../../src/observe/event-log.ts';

const event = (worker: number): EventBody => ({ type: 'worker', worker, change: 'started', reason: '' });

describe('since', () => {
  it('gives all that is held after an id, and tells of a gap exactly when something is missing', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.nat(60), fc.nat(60), (capacity, emitted, asked) => {
        const log = new EventLog(systemClock, capacity);
        for (let i = 1; i <= emitted; i++) log.emit(event(i));
        const { events, gap } = log.since(asked);
        const oldest = Math.max(1, emitted - capacity + 1);
        const from = asked > emitted ? oldest : Math.max(asked + 1, oldest);
        expect(events.map(({ id }) => id)).toEqual(Array.from({ length: emitted - from + 1 }, (_, i) => from + i));
        expect(gap).toBe(asked > emitted || asked + 1 < oldest);
      }),
    );
  });

  it.each([-1, 1.5, Number.NaN])('takes %d for an id of nobody', (id) => {
    const log = new EventLog(systemClock);
    log.emit(event(1));
    expect(log.since(id)).toMatchObject({ gap: true, events: [{ id: 1 }] });
  });
});

describe('subscribers', () => {
  it('get each event until they end it', () => {
    const log = new EventLog(systemClock);
    const got: number[] = [];
    const end = log.subscribe(({ id }) => got.push(id));
    log.emit(event(1));
    end();
    log.emit(event(2));
    expect(got).toEqual([1]);
  });

  it('that throw lose their subscription and harm nobody', () => {
    const log = new EventLog(systemClock);
    const got: number[] = [];
    log.subscribe(() => {
      throw new Error('a reader’s bug');
    });
    log.subscribe(({ id }) => got.push(id));
    log.emit(event(1));
    log.emit(event(2));
    expect(got).toEqual([1, 2]);
  });
});
