/** All of it together, on real sockets, the real clock and a real state directory. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { systemRandom } from '../../src/base/random.ts';
import { Backends, type BackendsOptions } from '../../src/control-plane/backends.ts';
import type { TierDrain } from '../../src/control-plane/tier-drain.ts';
import { besideText } from '../../src/control-plane/membership/beside.ts';
import { drainProgress } from '../../src/control-plane/backend-rows.ts';
import type { Membership } from '../../src/control-plane/membership/membership.ts';
import { TierMemoryStore } from '../../src/control-plane/store/tier-memory-store.ts';
import type { BackendTable } from '../../src/shared/backend-table.ts';
import type { Lookup } from '../../src/net/resolve-name.ts';
import type { VerdictEvent } from '../../src/control-plane/health/verdicts.ts';
import { BackendRig, healthSpec, type PoolSketch } from '../support/backend-rig.ts';
import { joinAlone, type LoneTierOptions } from '../support/lone-tier.ts';
import { OddBackend, refusingPort } from '../support/odd-backends.ts';

const health = healthSpec({ intervalMs: 50, fastIntervalMs: 20 });

let folder: string;
let rig: BackendRig;
const opened: Backends[] = [];
const joined: Membership[] = [];
const running: OddBackend[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-backends-'));
  rig = new BackendRig();
});
afterEach(async () => {
  for (const one of opened.splice(0)) one.stop();
  await Promise.all([...joined.splice(0), ...running.splice(0)].map((one) => one.stop()));
  // What a proxy was told by another it may still be writing down.
  await rm(folder, { recursive: true, maxRetries: 20 });
});

/** `tier`: which member of which store it is; absent: a tier of one. */
async function open(lookup?: Lookup, { tier = {}, table = rig.table, stateDir = folder }: { tier?: LoneTierOptions; table?: BackendTable; stateDir?: string } = {}): Promise<Backends> {
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const join: BackendsOptions['join'] = (events) => {
    const membership = joinAlone(tier)(events);
    joined.push(membership);
    return membership;
  };
  const backends = await Backends.open({ table, join, stateDir, clock: systemClock, random: systemRandom, log, ...(lookup === undefined ? {} : { lookup }) });
  opened.push(backends);
  return backends;
}

async function backend(host?: string): Promise<OddBackend> {
  const one = await OddBackend.start((socket) => socket.resume(), host === undefined ? {} : { host });
  running.push(one);
  return one;
}

function apply(backends: Backends, ...sketches: PoolSketch[]): void {
  const { snapshot, rows } = rig.snapshot(...sketches);
  void backends.apply(snapshot, rows);
}

function verdictOf(backends: Backends, address: string, to: string): Promise<VerdictEvent> {
  return new Promise((resolve) => {
    const end = backends.onVerdict((event) => {
      if (event.address !== address || event.to !== to) return;
      end();
      resolve(event);
    });
  });
}

describe('backends', () => {
  it('find out who serves, and are ready when every first verdict is known', async () => {
    const good = `127.0.0.1:${(await backend()).port}`;
    const bad = `127.0.0.1:${await refusingPort()}`;
    const backends = await open();
    const known = [verdictOf(backends, good, 'up'), verdictOf(backends, bad, 'down')];
    apply(backends, { name: 'web', backends: [good, bad], health });
    expect(backends.firstVerdictsKnown()).toBe(false);
    expect([...backends.pendingVerdicts()].sort()).toEqual([good, bad].sort());
    await Promise.all(known);
    expect(backends.firstVerdictsKnown()).toBe(true);
    expect(backends.pendingVerdicts()).toEqual([]);
    expect(rig.row('web', good)).toMatchObject({ verdict: 'up', state: 'ready', weight: 1 });
    expect(backends.detail(rig.numberOf('web', bad))).toMatchObject({ reason: 'connection refused', operator: null, lastResult: { passed: false } });
    expect(backends.probeCounts('web')).toMatchObject({ toUp: 1, toDown: 1 });
  });

  it('have no probe counts in a pool without health', async () => {
    const backends = await open();
    apply(backends, { name: 'web', backends: ['127.0.0.1:81'] });
    expect(backends.probeCounts('web')).toBeNull();
    expect(backends.firstVerdictsKnown()).toBe(true);
    expect(backends.detail(rig.numberOf('web', '127.0.0.1:81'))).toMatchObject({ reason: 'not probed' });
  });

  it('notice one that goes down, and say how it fails before it is', async () => {
    const one = await backend();
    const address = `127.0.0.1:${one.port}`;
    const backends = await open();
    const up = verdictOf(backends, address, 'up');
    apply(backends, { name: 'web', backends: [address], health });
    await up;
    const down = verdictOf(backends, address, 'down');
    await one.stop();
    running.length = 0;
    expect(await down).toMatchObject({ from: 'up', reason: 'connection refused', pools: ['web'] });
  });

  it('disabled by an operator are not probed, stay so after a restart, and come back with ready', async () => {
    const address = `127.0.0.1:${(await backend()).port}`;
    const sketch: PoolSketch = { name: 'web', backends: [address], health };
    const first = await open();
    apply(first, sketch);
    expect(await first.setState('web', address, { state: 'disabled', reason: 'disk' }, 'ada')).toMatchObject({ kind: 'set', durable: true });
    expect(rig.row('web', address)).toMatchObject({ state: 'disabled', verdict: 'unknown' });
    expect(first.firstVerdictsKnown()).toBe(true);
    first.stop();

    rig = new BackendRig();
    const second = await open();
    apply(second, sketch);
    expect(rig.row('web', address).state).toBe('disabled');
    expect(second.detail(rig.numberOf('web', address)).operator).toMatchObject({ state: 'disabled', reason: 'disk', by: 'ada' });
    const up = verdictOf(second, address, 'up');
    await second.setState('web', address, { state: 'ready' }, 'ada');
    await up;
    expect(rig.row('web', address)).toMatchObject({ state: 'ready', verdict: 'up' });
  });
});

describe('a pool that becomes a role pool', () => {
  /** Answers as a Redis server of this role does. */
  async function redis(role: string): Promise<string> {
    const one = await OddBackend.start((socket) => socket.on('data', (asked) => socket.write(asked.includes('ROLE') ? `*1\r\n$${role.length}\r\n${role}\r\n` : '+PONG\r\n')));
    running.push(one);
    return `127.0.0.1:${one.port}`;
  }

  it('serves nobody until their roles are known, and then the primary alone', async () => {
    // The replica stands first: of claims of one age it would be the one.
    const [replica, primary] = [await redis('slave'), await redis('master')];
    const backends = await open();
    const up = Promise.all([replica, primary].map((address) => verdictOf(backends, address, 'up')));
    const { snapshot, rows } = rig.snapshot({ name: 'db', backends: [replica, primary], health });
    await backends.apply(snapshot, rows);
    await up;
    const served: (string | null)[] = [];
    const isServed = new Promise<void>((resolve) => backends.onRole(({ address }) => {
      served.push(address);
      if (address === primary) resolve();
    }));
    const role = healthSpec({ type: 'redis', options: { user: '', password: '', role: 'primary' }, role: 'primary', intervalMs: 50, fastIntervalMs: 20 });
    const next = rig.snapshot({ name: 'db', backends: [replica, primary], health: role });
    await backends.apply(next.snapshot, next.rows);
    expect([replica, primary].map((address) => rig.row('db', address).withdrawn)).toEqual([true, true]);
    await isServed;
    expect(served).toEqual([primary]);
    expect([replica, primary].map((address) => rig.row('db', address).withdrawn)).toEqual([true, false]);
  });
});

describe('names', () => {
  it('get their address into each row, keep it, and are probed there', async () => {
    const one = await backend();
    const address = `app.internal:${one.port}`;
    const backends = await open(() => Promise.resolve(['127.0.0.1']));
    const up = verdictOf(backends, address, 'up');
    apply(backends, { name: 'web', backends: [address], health }, { name: 'api', backends: [address] });
    expect(rig.row('web', address).loadAddress()).toBeNull();
    await up;
    expect(rig.row('web', address).loadAddress()).toEqual(Uint8Array.of(127, 0, 0, 1));
    expect(rig.row('api', address)).toMatchObject({ verdict: 'up' });
    const version = rig.row('api', address).addressVersion;
    apply(backends, { name: 'web', backends: [address], health }, { name: 'api', backends: [address] });
    expect(rig.row('api', address).addressVersion).toBe(version);
  });

  it('that do not resolve are down, though their pool has no health', async () => {
    const backends = await open(() => Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' })));
    const down = verdictOf(backends, 'nowhere.internal:80', 'down');
    apply(backends, { name: 'web', backends: ['nowhere.internal:80'] });
    expect((await down).reason).toBe('name does not resolve: ENOTFOUND');
  });

  it('with an address that refuses go on to their next one', async () => {
    const one = await backend('127.0.0.1');
    const address = `localhost:${one.port}`;
    const backends = await open(() => Promise.resolve(['::1', '127.0.0.1']));
    const up = verdictOf(backends, address, 'up');
    apply(backends, { name: 'web', backends: [address], health });
    await up;
    expect(rig.row('web', address).loadAddress()).toEqual(Uint8Array.of(127, 0, 0, 1));
  });

  it('are looked up again when a worker says that a connect failed', async () => {
    let lookups = 0;
    const looked = Promise.withResolvers<void>();
    const backends = await open(() => {
      if (++lookups === 2) looked.resolve();
      return Promise.resolve(['127.0.0.1']);
    });
    const up = verdictOf(backends, 'app.internal:1', 'up');
    apply(backends, { name: 'web', backends: ['app.internal:1'] });
    await up;
    backends.connectFailed(rig.numberOf('web', 'app.internal:1'));
    await looked.promise;
  });
});

describe('drained', () => {
  it('is a backend with nothing in flight and no connection in use', () => {
    rig.snapshot({ name: 'web', backends: ['127.0.0.1:81'] });
    const row = rig.row('web', '127.0.0.1:81');
    expect(drainProgress(row)).toEqual({ inFlight: 0, connections: 0, drained: true });
    row.takeConnection(0);
    row.takeConnection(0);
    row.addInFlight(1);
    expect(drainProgress(row, 1)).toEqual({ inFlight: 1, connections: 1, drained: false });
    row.addInFlight(-1);
    expect(drainProgress(row, 1).drained).toBe(false);
    expect(drainProgress(row, 2)).toEqual({ inFlight: 0, connections: 0, drained: true });
  });
});

describe('two members', () => {
  const ADDRESS = '127.0.0.1:81';
  const sketch: PoolSketch = { name: 'web', backends: [ADDRESS] };

  /** Both over one store, each with a disk and a table of its own. */
  async function two(): Promise<[Backends, Backends, BackendRig]> {
    const store = new TierMemoryStore({ clock: systemClock });
    const otherRig = new BackendRig();
    const one = await open(undefined, { tier: { store, id: 'a' } });
    const other = await open(undefined, { tier: { store, id: 'b' }, table: otherRig.table, stateDir: join(folder, 'other') });
    apply(one, sketch);
    const { snapshot, rows } = otherRig.snapshot(sketch);
    await other.apply(snapshot, rows);
    while (joined.some(({ members }) => members.size < 2)) await nextState();
    return [one, other, otherRig];
  }

  const nextState = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('hear what an operator said to either, with who and when', async () => {
    const [one, other, otherRig] = await two();
    const heard = new Promise<void>((resolve) => other.onState(() => resolve()));
    await one.setState('web', ADDRESS, { state: 'drain', reason: 'disk' }, 'ada');
    await heard;
    expect(otherRig.row('web', ADDRESS).state).toBe('drain');
    expect(other.detail(otherRig.numberOf('web', ADDRESS)).operator).toEqual(one.detail(rig.numberOf('web', ADDRESS)).operator);
  });

  it('have drained a backend once both have seen the word and have nothing on it', async () => {
    const [one, other, otherRig] = await two();
    expect(await one.tierDrain('web', ADDRESS)).toBeNull();
    for (const [at, backends] of [one, other].entries()) joined[at]!.besideSource = () => besideText({ draining: backends.draining() });
    otherRig.row('web', ADDRESS).addInFlight(2);
    await one.setState('web', ADDRESS, { state: 'drain' }, 'ada');
    expect(await one.tierDrain('web', ADDRESS)).toMatchObject({ drained: false, unheard: ['b'] });
    const told = async (): Promise<TierDrain | null> => {
      while (((await one.tierDrain('web', ADDRESS))?.unheard.length ?? 0) > 0) await nextState();
      return one.tierDrain('web', ADDRESS);
    };
    expect(await told()).toEqual({ drained: false, inFlight: 2, busy: ['b'], unheard: [] });
    otherRig.row('web', ADDRESS).addInFlight(-2);
    while ((await one.tierDrain('web', ADDRESS))?.drained !== true) await nextState();
    await one.setState('web', ADDRESS, { state: 'ready' }, 'ada');
    expect(await one.tierDrain('web', ADDRESS)).toBeNull();
    expect(one.draining()).toEqual({});
  });
});
