import { describe, expect, it } from 'vitest';
import { MemberView } from '../../../src/control-plane/membership/member-view.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const LEASE_MS = 3000;

/** A view over a tier time that the test sets, and how often it said that who is on duty may have changed. */
function viewAt(tierMs: number) {
  const clock = new VirtualClock();
  const time = { tierMs };
  let changes = 0;
  const view = new MemberView({ clock, tierMs: () => time.tierMs + clock.monotonicMs(), leaseMs: () => LEASE_MS, onChange: () => changes++, unreadable: () => undefined });
  return { clock, time, view, changes: () => changes };
}

describe('who has been ready for a lease', () => {
  it('is told when the time comes', async () => {
    const { clock, view, changes } = viewAt(1000);
    view.change([{ key: 'a', text: 'ready x 1000 {}' }]);
    await clock.advance(LEASE_MS - 1);
    expect(changes()).toBe(1);
    await clock.advance(2);
    expect(changes()).toBe(2);
  });

  it('is told once of those whose times are close together, a tenth of a second late at most', async () => {
    const { clock, view, changes } = viewAt(1000);
    view.change(Array.from({ length: 50 }, (_, i) => ({ key: `m${i}`, text: `ready x ${1001 + i} {}` })));
    await clock.advance(LEASE_MS + 101);
    expect(changes()).toBe(2);
  });

  it('is told when tier time is set beyond that moment, or back before it', () => {
    const { time, view, changes } = viewAt(1000);
    view.change([{ key: 'a', text: 'ready x 1000 {}' }]);
    time.tierMs = 1000 + LEASE_MS;
    view.tierTimeSet();
    expect(changes()).toBe(2);
    time.tierMs = 1000;
    view.tierTimeSet();
    expect(changes()).toBe(3);
    view.tierTimeSet();
    expect(changes()).toBe(3);
  });
});
