import { describe, expect, it } from 'vitest';
import { MemberView } from '../../../src/control-plane/membership/member-view.ts';
import { TierView, Unreadable } from '../../../src/control-plane/membership/tier-view.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

describe('the view', () => {
  it('passes over a verdict that cannot be read, and says so once', () => {
    const told: string[] = [];
    const logged: unknown[] = [];
    const unreadable = new Unreadable({ warn: (_text, fields) => void logged.push(fields) });
    const members = new MemberView({ clock: new VirtualClock(), tierMs: () => 0, leaseMs: () => 3000, onChange: () => undefined, unreadable: () => undefined });
    const view = new TierView({ events: { onVerdict: (check, entry) => void told.push(`${check} ${entry?.verdict}`), onOperatorState: () => undefined, onRole: () => undefined, onTickets: () => undefined }, members, unreadable, put: () => undefined });
    for (let i = 0; i < 2; i++) {
      view.changeVerdicts([
        { key: 'x', text: 'sideways 1 a reason' },
        { key: 'y', text: 'up 1 a reason' },
      ]);
    }
    expect(told).toEqual(['y up', 'y up']);
    expect(logged).toEqual([{ table: 'verdicts', key: 'x' }]);
  });
});
