/** When Redis does not answer, or not as it should: the reason, and the way back. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { StoreAway } from '../../../src/control-plane/store/tier-store.ts';
import { freePort } from '../../support/free-port.ts';
import { redisStore, realTime, type RiggedStore } from '../../support/redis-rig.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { walkStore } from '../../support/redis-walk.ts';
import { TierRig, up } from '../../support/tier-contract/tier-rig.ts';
import { until } from '../../support/weir-process.ts';

const SHORT_MS = 300;

const opened: RiggedStore[] = [];
const servers: RedisServer[] = [];

function open(...args: Parameters<typeof redisStore>): RiggedStore {
  const rigged = redisStore(...args);
  opened.push(rigged);
  return rigged;
}

async function start(...args: Parameters<typeof RedisServer.start>): Promise<RedisServer> {
  const server = await RedisServer.start(...args);
  servers.push(server);
  return server;
}

function rigOf({ store }: RiggedStore): TierRig {
  return new TierRig({ store, advance: realTime, flush: () => Promise.resolve(), end: () => Promise.resolve() });
}

/** Why a call is not answered. */
async function reasonOf(call: Promise<unknown>): Promise<string> {
  const error: unknown = await call.then(() => new Error('it was answered'), (reason: unknown) => reason);
  expect(error).toBeInstanceOf(StoreAway);
  return (error as StoreAway).message;
}

async function untilAnswered(call: () => Promise<unknown>): Promise<void> {
  await until(() => call().then(() => true, () => false));
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map(({ store }) => store.close()));
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

describe('a server that is not there', () => {
  it('refuses, and is used once it is there', async () => {
    const port = await freePort();
    const { store } = open(`redis://127.0.0.1:${port}`);
    expect(await reasonOf(store.versions())).toBe('refused');
    // The next connection is waited for: nothing hangs meanwhile.
    expect(await reasonOf(store.versions())).toBe('refused');
    await start({ port });
    await untilAnswered(() => store.versions());
  });

  it('is not found by a name that is none', async () => {
    expect(await reasonOf(open('redis://no-such-host.invalid').store.versions())).toBe('host not found');
  });

  it('goes away in the midst of a call, and comes back empty', async () => {
    const server = await start();
    const rigged = open(server.url);
    const a = await rigOf(rigged).ready('a');
    server.pause();
    const reason = reasonOf(a.call());
    // What is waited for over a connection that ends is not answered either.
    void server.stop();
    expect(await reason).toBe('connection lost');
    await start({ port: server.port });
    await until(() => a.call().then(({ living }) => !living, () => false));
  });
});

describe('a server that stands still', () => {
  it('is away after so long, and its connection is made anew', async () => {
    const server = await start();
    const rigged = open(server.url, { callTimeoutMs: SHORT_MS });
    const a = await rigOf(rigged).ready('a');
    server.pause();
    const [first, second] = [a.call(), rigged.store.log(0, 10)];
    expect(await reasonOf(first)).toBe(`no answer in ${SHORT_MS} ms`);
    // All that waits on one connection ends with it.
    expect(await reasonOf(second)).toBe(`no answer in ${SHORT_MS} ms`);
    server.resume();
    await untilAnswered(() => a.call());
    // Nothing of what was given up was sent again: each call was made once.
    expect(await a.call()).toMatchObject({ living: true });
  });

  it('is away before it has ever answered', async () => {
    const server = await start();
    server.pause();
    const { store } = open(server.url, { callTimeoutMs: SHORT_MS });
    expect(await reasonOf(store.versions())).toBe(`no answer in ${SHORT_MS} ms`);
    server.resume();
    await untilAnswered(() => store.versions());
  });
});

describe('a server that refuses to write', () => {
  let server: RedisServer;
  let rigged: RiggedStore;
  let rig: TierRig;
  beforeAll(async () => {
    server = await RedisServer.start({ config: ['enable-debug-command yes', 'rdbcompression no', 'loading-process-events-interval-bytes 1024'] });
    rigged = redisStore(server.url);
    rig = rigOf(rigged);
  });
  afterAll(async () => {
    await rigged.store.close();
    await server.stop();
  });

  it.each([
    { name: 'is out of memory', break: ['maxmemory', '1'], mend: ['maxmemory', '0'], reason: /^OOM command not allowed when used memory > 'maxmemory'\.?$/ },
    { name: 'has too few replicas', break: ['min-replicas-to-write', '1'], mend: ['min-replicas-to-write', '0'], reason: /^NOREPLICAS Not enough good replicas to write\.?$/ },
  ] as const)('because it $name: nothing of the call is done', async ({ break: broken, mend, reason }) => {
    const a = await rig.ready('a', { previous: 'i1' });
    const { tierMs } = await a.call();
    await server.client().config('SET', ...broken);
    expect(await reasonOf(a.report(up('x')))).toMatch(reason);
    await server.client().config('SET', ...mend);
    const answer = await a.call();
    expect(answer).toMatchObject({ living: true });
    expect(answer.tierMs).toBeGreaterThanOrEqual(tierMs);
    expect(answer.verdicts.count).toBe(0);
    await rigged.store.leave(a.caller);
  });

  it('because it is a replica: the right one is looked for again', async () => {
    const replica = await start({ config: [`replicaof 127.0.0.1 ${server.port}`] });
    const { store } = open(replica.url);
    expect(await reasonOf(store.leave({ member: 'a', incarnation: 'x' }))).toMatch(/^READONLY You can't write against a read only replica\.?$/);
    await replica.client().call('REPLICAOF', 'NO', 'ONE');
    await untilAnswered(() => store.leave({ member: 'a', incarnation: 'x' }));
  });

  it('because it is still loading', async () => {
    await Promise.all(Array.from({ length: 50 }, (_, i) => server.client().set(`other${i}`, 'x'.repeat(5000))));
    await server.client().config('SET', 'key-load-delay', '20000');
    let reloaded = false;
    const reload = server.client().call('DEBUG', 'RELOAD').finally(() => (reloaded = true));
    const reasons = new Set<string>();
    await until(async () => {
      await rigged.store.versions().catch((error: unknown) => reasons.add((error as Error).message));
      return reasons.size > 0 || reloaded;
    });
    expect([...reasons].map((reason) => reason.replace('Valkey', 'Redis'))).toEqual(['LOADING Redis is loading the dataset in memory']);
    await reload;
    await server.client().config('SET', 'key-load-delay', '0');
    await untilAnswered(() => rigged.store.versions());
  });
});

describe('what Redis forgets or cuts off', () => {
  it('is scripts: they are sent again', async () => {
    const server = await start();
    const { store } = open(server.url);
    await walkStore(store);
    await server.client().script('FLUSH');
    await walkStore(store);
  });

  it('is a subscription: messages come again', async () => {
    const server = await start();
    const rigged = open(server.url);
    const rig = rigOf(rigged);
    const a = await rig.ready('a');
    await rig.listen(a);
    await server.client().call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await rig.listen(a);
  });

  it('is the connection for calls: the other one is made anew too', async () => {
    const server = await start();
    const rigged = open(server.url);
    const rig = rigOf(rigged);
    const a = await rig.ready('a');
    await rig.listen(a);
    const before = await server.client().client('LIST', 'TYPE', 'PUBSUB');
    await server.client().call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await untilAnswered(() => a.call());
    await until(async () => {
      const now = await server.client().client('LIST', 'TYPE', 'PUBSUB');
      return now !== '' && /id=(\d+)/.exec(String(now))![1] !== /id=(\d+)/.exec(String(before))![1];
    });
  });
});

describe('a message that is none', () => {
  it('is passed over', async () => {
    const server = await start();
    const rigged = open(server.url);
    const rig = rigOf(rigged);
    const a = await rig.ready('a');
    const listener = await rig.listen(a);
    for (const message of ['', 'null', '{', '{"run":1}', '{"run":"r","verdictsFrom":0,"verdictsTo":0,"verdicts":[["x"]],"operatorStates":0,"config":0,"suspicions":[]}']) {
      await server.client().publish(`weir:{${rigged.tier}}:hints`, message);
    }
    await a.report(up('x'));
    const hint = await listener.hears(a, ({ verdicts }) => verdicts !== null && verdicts.length > 0);
    expect(listener.hints).toEqual([hint]);
  });
});
