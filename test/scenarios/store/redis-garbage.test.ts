/** What somebody else left in the tier's keys: it is dropped and told, and the tier goes on. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tierKeys } from '../../../src/control-plane/store/redis/scripts.ts';
import { redisStore, realTime, type RiggedStore } from '../../support/redis-rig.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { walkStore } from '../../support/redis-walk.ts';
import { TierRig, up, type TestMember } from '../../support/tier-contract/tier-rig.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

interface World extends RiggedStore {
  readonly rig: TierRig;
  readonly a: TestMember;
  readonly key: (name: string) => string;
}

/** A tier of two with a verdict, an operator's word and a config. */
async function inTier(run: (world: World) => Promise<void>): Promise<void> {
  const rigged = redisStore(server.url);
  const rig = new TierRig({ store: rigged.store, advance: realTime, flush: () => Promise.resolve(), end: () => Promise.resolve() });
  const [a] = await rig.readyOnes('a', 'b');
  await a!.call({ reports: [up('x')], operatorStates: [{ key: 'k', stampMs: 1, by: 'me', text: '1 me {}' }] });
  await rigged.store.restore({ ...a!.caller, history: 'h', number: 7, sha: 's', headText: '{}', version: '{}', bytes: new Uint8Array([1]), isFirst: false });
  await a!.read();
  try {
    await run({ ...rigged, rig, a: a!, key: (name) => `weir:{${rigged.tier}}:${name}` });
  } finally {
    await rigged.store.close();
  }
}

const names = tierKeys('x').map((key) => key.slice('weir:{x}:'.length));

describe('a key of a wrong type', () => {
  it.each(names)('%s: is dropped and told', async (name) => {
    await inTier(async ({ store, warnings, key }) => {
      await server.client().del(key(name));
      await server.client().set(key(name), 'garbage');
      await store.votes(7);
      await walkStore(store);
      expect(warnings).toEqual([expect.objectContaining({ fields: expect.objectContaining({ droppedKeys: [key(name)] }) })]);
      await walkStore(store);
      expect(warnings).toHaveLength(1);
    });
  });

  it('leaves the config as it is, unless that is what was wrong', async () => {
    await inTier(async ({ store, rig, key }) => {
      await server.client().del(key('epochs'));
      await server.client().set(key('epochs'), 'garbage');
      const a = await rig.ready('a', { previous: 'i1', history: 'h' });
      await a.read();
      expect(a.reader.config).toMatchObject({ head: { history: 'h', number: 7 } });
      expect(await store.versions()).toMatchObject([{ number: 7 }]);
    });
  });
});

describe('a value of another form', () => {
  const others: Readonly<Record<string, (world: World) => Promise<unknown>>> = {
    'where the tier stands': ({ key }) => server.client().hset(key('state'), ' meta', 'garbage'),
    'tier time': ({ key }) => server.client().hset(key('state'), ' clock', '1 2 3'),
    'wall time': ({ key }) => server.client().hset(key('state'), ' wall', '?'),
    'no wall time': ({ key }) => server.client().hdel(key('state'), ' wall'),
    'half of the two': ({ key }) => server.client().hdel(key('state'), ' clock'),
    'the record of a member’s calls': ({ key }) => server.client().hset(key('state'), 'a', '?'),
    'a member’s entry': ({ key }) => server.client().hset(key('entries'), 'ma', '?'),
    'no leases at all': ({ key }) => server.client().del(key('leases')),
    'no reports at all': ({ key }) => server.client().del(key('reports')),
    'an entry that is gone': ({ key }) => server.client().hdel(key('entries'), 'vx'),
    'an entry that nobody made': ({ key }) => server.client().hset(key('entries'), 'vy', 'up 1 a ok'),
    'an entry with another text': ({ key }) => server.client().hset(key('entries'), 'vx', 'down 1 a ok'),
    'no order of changes': ({ key }) => server.client().del(key('epochs')),
  };
  it.each(Object.keys(others))('%s: the tier is set up anew', async (name) => {
    await inTier(async (world) => {
      await others[name]!(world);
      const { run } = world.a.reader.have!;
      // As whoever finds another digest than the store's does: says everything and reads everything.
      const answer = await world.a.call({ state: 'draining', reports: [up('x')], have: null });
      expect(answer).toMatchObject({ living: false });
      expect(answer.run).not.toBe(run);
      expect(world.warnings).toHaveLength(1);
      const again = await world.rig.ready('a', { history: 'h' });
      await again.read({ reports: [up('x')] });
      expect([...again.reader.verdicts.keys()]).toEqual(['x']);
      expect(world.warnings).toHaveLength(1);
    });
  });

  it('no leases at all is found by a quiet call too', async () => {
    await inTier(async ({ a, key, warnings }) => {
      await server.client().del(key('leases'));
      expect(await a.call({ have: a.reader.have })).toMatchObject({ living: false });
      expect(warnings).toHaveLength(1);
    });
  });

  it.each(['head', 'rollout', 'used', 'voted', '7'])('of the config (%s) is missing', async (field) => {
    await inTier(async ({ store, a, rig, key }) => {
      await server.client().hset(key('config'), field, '?');
      await store.publish({ ...a.caller, history: 'h', parentSha: field === 'head' ? null : 's', number: 8, sha: 't', version: '{}', rollout: '{}', bytes: new Uint8Array([2]) });
      const reader = await rig.member('c', { history: 'h' });
      await reader.read();
      expect(reader.reader.config).toMatchObject({ rollout: { number: 8 }, head: field === 'head' ? null : { number: 7 } });
      expect((await store.versions()).map(({ number }) => number)).toEqual(field === '7' ? [8] : [8, 7]);
    });
  });

  it('of reports, votes and what is watched is passed over', async () => {
    await inTier(async ({ store, a, key }) => {
      await server.client().hset(key('reports'), 'x', '?\n? ? ?\n');
      await server.client().hset(key('votes'), 'z', '?');
      await store.watch('web', 60_000);
      await server.client().hset(key('state'), ' watched', '?', ' suspected', '\n\n');
      expect(await store.reports(['x'])).toEqual(new Map());
      expect(await store.votes(7)).toEqual(new Map());
      expect(await a.call({ suspicions: ['x'] })).toMatchObject({ living: true, watched: [] });
    });
  });
});
