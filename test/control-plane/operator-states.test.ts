import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inSlices } from '../../src/base/clock.ts';
import { OperatorStates, type BackendStateEvent } from '../../src/control-plane/operator-states.ts';
import { operatorKey, operatorPut, type OperatorEntry } from '../../src/control-plane/operator-entry.ts';
import { StateFile } from '../../src/control-plane/state-file.ts';
import type { OperatorPut } from '../../src/control-plane/store/tier-store.ts';
import type { BackendState } from '../../src/shared/snapshot.ts';
import { BackendRig } from '../support/backend-rig.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const A = '127.0.0.1:81';
const B = '127.0.0.1:82';
const DAY_MS = 86_400_000;

let folder: string;
let clock: VirtualClock;
let rig: BackendRig;
let said: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-operator-'));
  clock = new VirtualClock();
  rig = new BackendRig();
  said = [];
});
afterEach(() => rm(folder, { recursive: true }));

const path = (): string => join(folder, 'operator-states.json');
const open = (at = path()): Promise<OperatorStates> => OperatorStates.open({ clock, file: new StateFile(at), log: { warn: (text) => said.push(text), error: (text) => said.push(text) } });

/** Applies a config with backends in these states of the file. */
function apply(states: OperatorStates, backends: Record<string, BackendState> = { [A]: 'ready', [B]: 'ready' }): void {
  void inSlices(states.apply(rig.place({ name: 'web', backends: Object.entries(backends).map(([address, state]) => ({ address, state, weight: 10 })) })));
}

describe('the effective state', () => {
  const all = ['ready', 'drain', 'disabled'] as const;
  const cases = all.flatMap((ofFile) => all.map((ofOperator) => ({ ofFile, ofOperator, effective: all[Math.max(all.indexOf(ofFile), all.indexOf(ofOperator))] })));

  it.each(cases.filter(({ ofOperator }) => ofOperator !== 'ready'))('of $ofFile in the file and $ofOperator by an operator is $effective', async ({ ofFile, ofOperator, effective }) => {
    const states = await open();
    apply(states, { [A]: ofFile });
    expect(await states.set('web', A, { state: ofOperator }, 'me')).toMatchObject({ kind: 'set', durable: true });
    expect(rig.row('web', A).state).toBe(effective);
    apply(states, { [A]: ofFile });
    expect(rig.row('web', A).state).toBe(effective);
  });

  it.each(['drain', 'disabled'] as const)('of %s in the file cannot be lifted by an operator', async (ofFile) => {
    const states = await open();
    apply(states, { [A]: ofFile });
    expect(await states.set('web', A, { state: 'ready', weight: 3 }, 'me')).toEqual({ kind: 'held-by-file', state: ofFile });
    expect(rig.row('web', A)).toMatchObject({ state: ofFile, weight: 10 });
  });

  it('moves the epoch of its pool, if it changed', async () => {
    const states = await open();
    apply(states);
    const { epoch } = rig.pool('web');
    await states.set('web', A, { state: 'drain' }, 'me');
    expect(rig.pool('web').epoch).toBe(epoch + 1);
    await states.set('web', A, { state: 'drain', reason: 'again' }, 'me');
    expect(rig.pool('web').epoch).toBe(epoch + 1);
  });
});

describe('an operator', () => {
  it('sets a weight, and gives it back to the file', async () => {
    const states = await open();
    apply(states);
    await states.set('web', A, { weight: 0 }, 'me');
    expect(rig.row('web', A)).toMatchObject({ weight: 0, state: 'ready' });
    await states.set('web', A, { state: 'drain' }, 'me');
    expect(rig.row('web', A)).toMatchObject({ weight: 0, state: 'drain' });
    await states.set('web', A, { weight: null }, 'me');
    expect(rig.row('web', A)).toMatchObject({ weight: 10, state: 'drain' });
  });

  it('is remembered with who, when and why, until ready', async () => {
    const states = await open();
    apply(states);
    await states.set('web', A, { state: 'drain', reason: 'new disk' }, 'ada');
    expect(states.get('web', A)).toEqual({ pool: 'web', address: A, state: 'drain', weight: null, reason: 'new disk', by: 'ada', stampMs: clock.wallMs() });
    await states.set('web', A, { state: 'ready' }, 'ada');
    expect(states.get('web', A)).toBeNull();
    expect(rig.row('web', A).state).toBe('ready');
  });

  it('is told to listeners after it took effect', async () => {
    const states = await open();
    apply(states);
    const events: BackendStateEvent[] = [];
    states.subscribe((event) => events.push({ ...event, state: rig.row('web', A).state }));
    await states.set('web', A, { state: 'disabled', weight: 5, reason: 'why' }, 'ada');
    expect(events).toEqual([{ pool: 'web', address: A, rowNumber: rig.numberOf('web', A), state: 'disabled', weight: 5, reason: 'why', by: 'ada', atMs: clock.wallMs() }]);
  });

  it('cannot speak about a backend that is not in the config', async () => {
    const states = await open();
    apply(states);
    expect(await states.set('web', 'nowhere:1', { state: 'drain' }, 'me')).toEqual({ kind: 'no-such-backend' });
    expect(await states.set('api', A, { state: 'drain' }, 'me')).toEqual({ kind: 'no-such-backend' });
  });
});

describe('the file', () => {
  it('brings the entries back after a restart', async () => {
    const states = await open();
    apply(states);
    await states.set('web', A, { state: 'drain', weight: 3, reason: 'x' }, 'me');
    await states.set('web', B, { state: 'drain' }, 'me');
    await states.set('web', B, { state: 'ready' }, 'me');
    const next = await open();
    rig = new BackendRig();
    apply(next);
    expect(rig.row('web', A)).toMatchObject({ state: 'drain', weight: 3 });
    expect(rig.row('web', B)).toMatchObject({ state: 'ready', weight: 10 });
    expect(next.get('web', A)).toEqual(states.get('web', A));
    expect((JSON.parse(await readFile(path(), 'utf8')) as { entries: unknown[] }).entries).toHaveLength(1);
  });

  it.each(['', '{', '[]', '{"entries": 5}', 'null'])('that reads %j is absent, and said', async (text) => {
    await writeFile(path(), text);
    const states = await open();
    apply(states);
    expect(rig.row('web', A).state).toBe('ready');
    expect(said).toHaveLength(1);
  });

  it('loses only the entries that cannot be read', async () => {
    const good: OperatorEntry = { pool: 'web', address: A, state: 'drain', weight: null, reason: '', by: 'me', stampMs: 1 };
    await writeFile(path(), JSON.stringify({ entries: [{ ...good, address: B, state: 'asleep' }, good, { ...good, address: B, weight: 1001 }] }));
    const states = await open();
    apply(states);
    expect(rig.row('web', A).state).toBe('drain');
    expect(rig.row('web', B)).toMatchObject({ state: 'ready', weight: 10 });
    expect(said).toHaveLength(2);
  });

  it('that cannot be written does not stop the change, and is said', async () => {
    await writeFile(join(folder, 'in-the-way'), '');
    const states = await open(join(folder, 'in-the-way', 'x.json'));
    said = [];
    apply(states);
    expect(await states.set('web', A, { state: 'drain' }, 'me')).toMatchObject({ kind: 'set', durable: false });
    expect(rig.row('web', A).state).toBe('drain');
    expect(said).toEqual(['operator states could not be written: they end with this process']);
  });
});

describe('an entry whose backend is not in the config', () => {
  async function absentFor(ms: number): Promise<BackendState> {
    const states = await open();
    apply(states);
    await states.set('web', A, { state: 'drain' }, 'me');
    apply(states, { [B]: 'ready' });
    await states.set('web', B, { state: 'drain' }, 'me');
    clock.setWall(clock.wallMs() + ms);
    const later = await open();
    apply(later, { [B]: 'ready' });
    apply(later);
    return rig.row('web', A).state;
  }

  it('does nothing, and is there again when the backend is', async () => {
    expect(await absentFor(6 * DAY_MS)).toBe('drain');
  });

  it('is dropped after a week', async () => {
    expect(await absentFor(8 * DAY_MS)).toBe('ready');
  });
});

describe('the tier', () => {
  const entry = (changes: Partial<OperatorEntry> = {}): OperatorEntry => ({ pool: 'web', address: A, state: 'drain', weight: null, reason: '', by: 'b', stampMs: clock.wallMs(), ...changes });
  const accept = (states: OperatorStates, changes: Partial<OperatorEntry> = {}): void => {
    const { key, text } = operatorPut(entry(changes));
    states.accept(key, text);
  };

  it('is told what stands, and each change made here', async () => {
    const states = await open();
    apply(states);
    await states.set('web', A, { state: 'drain' }, 'me');
    const published: OperatorPut[] = [];
    states.publishTo((told) => published.push(told));
    const stampMs = clock.wallMs();
    expect(published).toEqual([{ key: `web ${A}`, stampMs, by: 'me', text: `${stampMs} me {"state":"drain","weight":null,"reason":"","by":"me"}` }]);
    await states.set('web', B, { weight: 2 }, 'Ada Lovelace');
    expect(published[1]).toMatchObject({ key: `web ${B}`, by: 'Ada_Lovelace' });
    accept(states, { stampMs: clock.wallMs() + 10, state: 'ready' });
    expect(published).toHaveLength(2);
  });

  it('has its word taken if it is the newer one, and kept on the disk', async () => {
    const states = await open();
    apply(states);
    await states.set('web', A, { state: 'disabled' }, 'me');
    accept(states, { stampMs: clock.wallMs() - 1 });
    expect(rig.row('web', A).state).toBe('disabled');
    accept(states, { stampMs: clock.wallMs() + 1, by: 'Ada Lovelace', reason: 'disk' });
    expect(rig.row('web', A).state).toBe('drain');
    states.accept(operatorKey('web', A), null);
    expect(rig.row('web', A).state).toBe('drain');
    await states.set('web', B, { weight: 1 }, 'me');
    const next = await open();
    expect(next.get('web', A)).toMatchObject({ state: 'drain', by: 'Ada Lovelace', reason: 'disk' });
  });

  it('does not keep an operator here from being the newest, though the clock went back', async () => {
    const states = await open();
    apply(states);
    accept(states, { stampMs: clock.wallMs() + DAY_MS });
    await states.set('web', A, { state: 'ready' }, 'me');
    expect(rig.row('web', A).state).toBe('ready');
  });

  it.each(['', 'x', '9e9 b {}', '9 b', '9 b {', '9 b {}', '9 b {"state":"asleep","weight":null,"reason":"","by":"b"}', '9 b {"state":"drain","weight":1001,"reason":"","by":"b"}'])('that says %j is passed over, and that is said', async (text) => {
    const states = await open();
    apply(states);
    states.accept(operatorKey('web', A), text);
    expect(rig.row('web', A).state).toBe('ready');
    expect(said).toEqual(["an operator state of the tier's is passed over"]);
  });

  it('may hold words about other things than backends', async () => {
    const states = await open();
    states.accept('member', '9 b {}');
    expect(said).toEqual([]);
  });

  it('with a key takes only what is sealed with it', async () => {
    const seal = { sealOperatorState: (key: string, text: string) => `${text} sealed ${key}`, openOperatorState: (key: string, text: string) => (text.endsWith(` sealed ${key}`) ? text.slice(0, -` sealed ${key}`.length) : null) };
    const states = await OperatorStates.open({ clock, file: new StateFile(path()), seal, log: { warn: (text) => said.push(text), error: (text) => said.push(text) } });
    apply(states);
    const published: OperatorPut[] = [];
    states.publishTo((told) => published.push(told));
    await states.set('web', B, { state: 'drain' }, 'me');
    expect(published[0]!.text).toMatch(/ sealed web /);
    const { key, text } = operatorPut(entry());
    states.accept(key, text);
    expect(rig.row('web', A).state).toBe('ready');
    expect(said).toHaveLength(1);
    states.accept(key, seal.sealOperatorState(key, text));
    expect(rig.row('web', A).state).toBe('drain');
  });

  it('is told what drains here, the newest word first', async () => {
    const states = await open();
    apply(states);
    await states.set('web', A, { state: 'drain' }, 'me');
    await clock.advance(5);
    await states.set('web', B, { state: 'disabled' }, 'me');
    expect(states.draining().map(({ key, stampMs }) => [key, stampMs])).toEqual([
      [`web ${B}`, clock.wallMs()],
      [`web ${A}`, clock.wallMs() - 5],
    ]);
    await states.set('web', B, { state: 'ready' }, 'me');
    expect(states.draining().map(({ key }) => key)).toEqual([`web ${A}`]);
  });
});
