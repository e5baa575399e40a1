/** Events of a tier: the store's own log, the same from any member. */
import { afterEach, expect, test } from 'vitest';
import { AdminTier, type AdminMember } from '../../../support/admin-tier.ts';
import { EventReader } from '../../../support/event-reader.ts';
import { operatorPut } from '../../../support/link-rig.ts';

afterEach(() => EventReader.closeAll());

/** Of the events that come, the next one of an operator's. */
async function nextOperator(reader: EventReader): Promise<{ id: string; key: unknown }> {
  while (true) {
    const event = (await reader.next())!;
    if (event.event === 'operator') return { id: event.id!, key: event.data['key'] };
  }
}

const say = ({ link }: AdminMember, n: number): void => link.putOperatorState(operatorPut(`key-${n}`, n, '{}'));

test('a reader goes on at another member with the last id it saw: nothing is lost, nothing comes twice', async () => {
  await using tier = new AdminTier();
  const [a, b] = (await tier.up('a', 'b')) as [AdminMember, AdminMember];
  const reader = await EventReader.open(a.admin.url, { 'last-event-id': '0' });
  say(b, 1);
  const first = await nextOperator(reader);
  expect(first.key).toBe('key-1');
  reader.close();
  for (let n = 2; n <= 20; n++) say(a, n);
  const again = await EventReader.open(b.admin.url, { 'last-event-id': first.id });
  const keys = new Set<unknown>();
  const ids = new Set<string>();
  while (keys.size < 19) {
    const { id, key } = await nextOperator(again);
    expect(ids.has(id)).toBe(false);
    ids.add(id);
    keys.add(key);
  }
  expect(keys.has('key-1')).toBe(false);
});

test('each has kind, time and fields, and the same id at every member', async () => {
  await using tier = new AdminTier();
  const [a, b] = (await tier.up('a', 'b')) as [AdminMember, AdminMember];
  const atA = await EventReader.open(a.admin.url, {}, '?lastEventId=0');
  const atB = await EventReader.open(b.admin.url, {}, '?lastEventId=0');
  const [one, other] = [await atA.next(), await atB.next()];
  expect(one).toEqual({ id: `${a.link.run}-1`, event: 'member', data: { at: expect.stringMatching(/^20.*Z$/), type: 'member', member: expect.stringMatching(/^[ab]$/), incarnation: expect.any(String), change: 'joined' } });
  expect(other).toEqual(one);
});

test('an id of another run is a gap, and all that is held follows', async () => {
  await using tier = new AdminTier();
  const [a] = (await tier.up('a')) as [AdminMember];
  const reader = await EventReader.open(a.admin.url, { 'last-event-id': 'of-another-run-7' });
  expect((await reader.next())!.event).toBe('gap');
  expect((await reader.next())!.id).toBe(`${a.link.run}-1`);
});

test('scope=proxy are those of the proxy itself', async () => {
  await using tier = new AdminTier();
  const [a] = (await tier.up('a')) as [AdminMember];
  const own = await EventReader.open(a.admin.url, {}, '?scope=proxy&lastEventId=0');
  say(a, 1);
  a.world.events.emit({ type: 'worker', worker: 3, change: 'started', reason: '' });
  expect(await own.next()).toMatchObject({ event: 'worker', data: { worker: 3 } });
});

test('while the store is away the stream waits, and goes on when it is back', async () => {
  await using tier = new AdminTier();
  const [a, b] = (await tier.up('a', 'b')) as [AdminMember, AdminMember];
  const reader = await EventReader.open(a.admin.url, { 'last-event-id': '0' });
  say(b, 1);
  await nextOperator(reader);
  a.way.away = 'refused';
  say(b, 2);
  a.way.away = null;
  expect((await nextOperator(reader)).key).toBe('key-2');
});
