import { describe, expect, it } from 'vitest';
import { MemberOrders, type MemberOrder } from '../../src/control-plane/member-orders.ts';
import { isBackendKey } from '../../src/control-plane/operator-entry.ts';
import { TierKey } from '../../src/control-plane/rollout/tier-key.ts';
import type { OperatorPut } from '../../src/control-plane/store/tier-store.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const key = new TierKey(Buffer.from('a tier key of some length'));
const other = new TierKey(Buffer.from('another key of some length'));

interface Rig {
  readonly orders: MemberOrders;
  readonly put: OperatorPut[];
  readonly followed: MemberOrder[];
  readonly said: string[];
}

function rig(node: string, seal: TierKey | null = null, clock = new VirtualClock()): Rig {
  const put: OperatorPut[] = [];
  const followed: MemberOrder[] = [];
  const said: string[] = [];
  const orders = new MemberOrders({ clock, node, seal, log: { warn: (_text, fields) => said.push(String(fields?.['cause'])) }, put: (entry) => put.push(entry), follow: (order) => followed.push(order) });
  return { orders, put, followed, said };
}

describe('a word on a member', () => {
  it('is followed by the member it names, and by no other', () => {
    const [a, b, c] = [rig('a'), rig('b'), rig('c')];
    a.orders.set('b', 'drain', 'kernel update');
    const { key: name, text } = a.put[0]!;
    expect([name, text]).toEqual(['@member b', expect.stringMatching(/^\d+ a \{"state":"drain","reason":"kernel update"\}$/)]);
    for (const { orders } of [b, c]) orders.accept(name, text);
    expect(b.followed).toEqual([{ member: 'b', state: 'drain', reason: 'kernel update', by: 'a', stampMs: expect.any(Number) }]);
    expect([a.followed, c.followed]).toEqual([[], []]);
    expect(c.orders.get('b')).toEqual(b.followed[0]);
  });

  it('is followed at once by a member that says it of itself', () => {
    const a = rig('a');
    a.orders.set('a', 'drain', '');
    expect(a.followed).toMatchObject([{ state: 'drain' }]);
    expect(a.put).toHaveLength(1);
  });

  it('stands until a newer one, whatever is read again, also if the clock was set back', () => {
    const clock = new VirtualClock();
    const [a, b] = [rig('a', null, clock), rig('b')];
    a.orders.set('b', 'drain', '');
    a.orders.set('b', 'ready', '');
    const [drain, ready] = a.put;
    expect(ready!.stampMs).toBeGreaterThan(drain!.stampMs);
    for (const { key: name, text } of [drain!, ready!, drain!, ready!]) b.orders.accept(name, text);
    b.orders.accept('@member b', null);
    expect(b.followed.map(({ state }) => state)).toEqual(['drain', 'ready']);
  });

  it.each([
    ['not in the expected form', 'nonsense'],
    ['not in the expected form', '5 a {"state":"disabled","reason":""}'],
    ['not in the expected form', '5 a {'],
  ])('that is %s does nothing: %s', (cause, text) => {
    const b = rig('b');
    b.orders.accept('@member b', text);
    expect([b.followed, b.said]).toEqual([[], [cause]]);
  });

  it('is taken only with the key of the tier, where there is one, and only for the member it was signed for', () => {
    const [a, b, forger] = [rig('a', key), rig('b', key), rig('a', other)];
    a.orders.set('b', 'drain', '');
    forger.orders.set('b', 'drain', '');
    b.orders.accept('@member b', forger.put[0]!.text);
    b.orders.accept('@member b', '5 a {"state":"drain","reason":""}');
    const c = rig('c', key);
    c.orders.accept('@member c', a.put[0]!.text);
    expect([b.followed, c.followed, b.said.length + c.said.length]).toEqual([[], [], 3]);
    b.orders.accept('@member b', a.put[0]!.text);
    expect(b.followed).toHaveLength(1);
  });

  it('is no word on a backend, nor the other way round', () => {
    expect([isBackendKey('@member b'), isBackendKey('web 10.0.0.1:80')]).toEqual([false, true]);
    const b = rig('b');
    b.orders.accept('web b', '5 a {"state":"drain","reason":""}');
    expect([b.followed, b.said]).toEqual([[], []]);
  });
});
