/** A rollout over real workers and real ports: whole or not at all, one at a time, the newest wins. */
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { Rollout, type RolloutParticipant } from '../../../src/control-plane/rollout/apply.ts';
import { encodeSnapshot } from '../../../src/shared/snapshot-codec.ts';
import type { Snapshot } from '../../../src/shared/snapshot.ts';
import { ask, FleetRig } from '../../support/fleet-rig.ts';
import { plainListener, plainPool, plainSnapshot } from '../../support/plain-snapshot.ts';

let rig: FleetRig;
let file: Partial<Snapshot>;
let reads: number[];
let told: string[];
let rollout: Rollout;
let refusesNext: readonly string[] = [];

/** Says what it is asked to do. */
const participant = (name: string, texts: () => readonly string[]): RolloutParticipant => ({
  prepare: ({ snapshot }) => {
    told.push(`${name} prepares ${snapshot.number}`);
    return Promise.resolve(texts());
  },
  commit: ({ snapshot }) => void told.push(`${name} commits ${snapshot.number}`),
  abort: () => void told.push(`${name} aborts`),
});

beforeEach(() => {
  rig = new FleetRig(2);
  [file, reads, told, refusesNext] = [{ listeners: [plainListener('web')] }, [], [], []];
  const participants = [participant('first', () => []), participant('second', () => refusesNext)];
  rollout = new Rollout({
    clock: systemClock,
    table: rig.table,
    fleet: rig.fleet,
    events: rig.events,
    participants: () => participants,
    read: (number, bytes) => {
      reads.push(number);
      const config = bytes === null ? file : (JSON.parse(Buffer.from(bytes).toString()) as Partial<Snapshot>);
      const sha = createHash('sha256').update(JSON.stringify(config)).digest('hex');
      return Promise.resolve({ snapshot: encodeSnapshot(plainSnapshot({ ...config, number, sha, effectiveSha: sha })), problems: [], text: sha, secretFiles: [] });
    },
    onOutcome: () => undefined,
  });
});
afterEach(() => rig.fleet.terminate());

const port = (): number => rollout.running!.ports[0]![0]!;

test('participants commit before the workers, who then all run it; the same text again changes nothing', async () => {
  expect(await rollout.apply()).toMatchObject({ kind: 'done', version: 1, changed: true });
  expect(told).toEqual(['first prepares 1', 'second prepares 1', 'first commits 1', 'second commits 1']);
  expect(await ask(port())).toMatchObject({ number: 1 });
  expect(await rollout.apply()).toMatchObject({ kind: 'done', version: 1, changed: false });
  expect(told).toHaveLength(4);
  expect(rollout.versions.map(({ version }) => version)).toEqual([1]);
});

test('one participant that refuses: those before it abort, no worker hears of it, the number is used again', async () => {
  await rollout.apply();
  told = [];
  file = { listeners: [plainListener('web')], pools: [plainPool('p', ['127.0.0.1:1'])] };
  refusesNext = ['no'];
  expect(await rollout.apply()).toMatchObject({ kind: 'refused', text: 'no' });
  expect(told).toEqual(['first prepares 2', 'second prepares 2', 'first aborts']);
  expect(rollout.running!.snapshot.pools).toEqual([]);
  refusesNext = [];
  expect(await rollout.apply()).toMatchObject({ kind: 'done', version: 2 });
});

test('one worker that refuses: all participants abort and all workers keep the former', async () => {
  await rollout.apply();
  told = [];
  file = { listeners: [plainListener('web'), plainListener('refuse', 1)] };
  const outcome = await rollout.apply();
  expect(outcome).toMatchObject({ kind: 'refused' });
  expect(told.slice(-2)).toEqual(['first aborts', 'second aborts']);
  expect(await ask(port())).toMatchObject({ number: 1 });
  expect(rollout.lastReload).toMatchObject({ ok: false });
});

test('a config that kills the workers that prepare it is tried twice and refused; service comes back with the former', async () => {
  await rollout.apply();
  file = { listeners: [plainListener('web'), plainListener('crash-on-prepare')] };
  expect(await rollout.apply()).toMatchObject({ kind: 'refused', text: expect.stringContaining('crashed while preparing') });
  await rig.allRunning();
  expect(await ask(port())).toMatchObject({ number: 1 });
});

test('asked many times at once it reads twice, and the last read is the newest text', async () => {
  const outcomes = [rollout.apply(), rollout.apply(), rollout.apply()];
  file = { listeners: [plainListener('renamed')] };
  outcomes.push(rollout.apply());
  await Promise.all(outcomes);
  expect(reads).toHaveLength(2);
  expect(rollout.running!.snapshot.listeners[0]!.name).toBe('renamed');
});

test('what the tier knows this proxy by cannot change', async () => {
  await rollout.apply();
  file = { ...file, tier: { ...file.tier!, name: 'other', store: 'redis://x' } };
  expect(await rollout.apply()).toMatchObject({ kind: 'refused', text: 'tier.name and tier.store cannot change while the proxy runs: restart it' });
});

test('a backend keeps its row, and with it what is known of it, while others come and go', async () => {
  file = { ...file, pools: [plainPool('p', ['127.0.0.1:1', '127.0.0.1:2'])] };
  await rollout.apply();
  const row = rollout.running!.rows.backends[1]!;
  rig.table.backend(row).verdict = 'up';
  file = { ...file, pools: [plainPool('new', ['127.0.0.1:9']), plainPool('p', ['127.0.0.1:2', '127.0.0.1:3'])] };
  await rollout.apply();
  expect(rollout.running!.rows.backends[1]).toBe(row);
  expect(rig.table.backend(row).verdict).toBe('up');
});

describe('a config of the tier’s', () => {
  const bytesOf = (config: Partial<Snapshot>): Uint8Array => Buffer.from(JSON.stringify(config));

  test('runs under the number it is given, upwards or down, also when nothing but the number changes', async () => {
    const bytes = bytesOf(file);
    expect(await rollout.applyGiven({ bytes, number: 7 })).toMatchObject({ kind: 'done', version: 7, changed: true });
    expect(await rollout.applyGiven({ bytes, number: 7 })).toMatchObject({ kind: 'done', version: 7, changed: false });
    const kept = port();
    expect(await rollout.applyGiven({ bytes, number: 9 })).toMatchObject({ kind: 'done', version: 9, changed: true });
    expect(await rollout.applyGiven({ bytes, number: 2 })).toMatchObject({ kind: 'done', version: 2, changed: true });
    expect(port()).toBe(kept);
    expect(rollout.running!.snapshot.number).toBe(2);
  });

  test('is tried without being run: all prepare, all take it back, and nothing is noted', async () => {
    await rollout.applyGiven({ bytes: bytesOf(file), number: 1 });
    told = [];
    const before = rollout.lastReload;
    const next = { listeners: [plainListener('web'), plainListener('more')] };
    expect(await rollout.dryRun({ bytes: bytesOf(next), number: 2 })).toMatchObject({ kind: 'done' });
    expect(told).toEqual(['first prepares 2', 'second prepares 2', 'first aborts', 'second aborts']);
    expect(rollout.running!.snapshot.listeners).toHaveLength(1);
    expect(rollout.lastReload).toBe(before);
    expect(await rollout.dryRun({ bytes: bytesOf({ listeners: [plainListener('refuse', 1)] }), number: 2 })).toMatchObject({ kind: 'refused' });
    expect(await ask(port())).toMatchObject({ number: 1 });
    // What was tried can be run, and the workers are not taken in by a number they have seen.
    expect(await rollout.applyGiven({ bytes: bytesOf(next), number: 2 })).toMatchObject({ kind: 'done', changed: true });
    expect(rollout.running!.snapshot.listeners).toHaveLength(2);
  });

  test('each is done in its turn, however many are asked for at once', async () => {
    const configs = [1, 2, 3].map((number) => ({ bytes: bytesOf({ listeners: [plainListener(`web${number}`)] }), number }));
    const outcomes = await Promise.all(configs.map((given) => rollout.applyGiven(given)));
    expect(outcomes.map((outcome) => (outcome.kind === 'done' ? outcome.version : 0))).toEqual([1, 2, 3]);
    expect(rollout.running!.snapshot.listeners[0]!.name).toBe('web3');
  });
});
