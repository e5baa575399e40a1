/** Keys of session tickets in a tier, in virtual time over a store in memory. */
import { seededRandom } from '../../../src/base/random.ts';
import { TierLink } from '../../../src/control-plane/membership/tier-link.ts';
import { TierKey } from '../../../src/control-plane/rollout/tier-key.ts';
import { TICKETS_KEY, ticketsSha } from '../../../src/control-plane/store/ticket-records.ts';
import { TierMemoryStore } from '../../../src/control-plane/store/tier-memory-store.ts';
import { TicketKeeper } from '../../../src/control-plane/tickets/ticket-keeper.ts';
import { sealRecord, type TicketSeal } from '../../../src/control-plane/tickets/ticket-record.ts';
import { SEALING_GENERATION, TICKET_KEYS_BYTES, TicketMemory } from '../../../src/shared/ticket-memory.ts';
import { FickleTierStore } from '../../support/fickle-tier-store.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { afterEach, expect, it } from 'vitest';

const PACE = { heartbeatMs: 1000, leaseMs: 3000, probers: 3 };
const ROTATION_MS = 60_000;

function sealOf(secret: string): TicketSeal {
  const key = new TierKey(Buffer.from(secret));
  return { seal: (keys) => key.sealTickets('test', keys), open: (text) => key.openTickets('test', text) };
}
const OURS = sealOf('a secret of this tier');

let filled = 0;
/** Each key is of one byte, another each time. */
const fill = (bytes: Uint8Array): void => {
  for (let at = 0; at < bytes.length; at += 48) bytes.fill(++filled, at, at + 48);
};

class Member {
  readonly logged: string[] = [];
  readonly memory = TicketMemory.create(fill);
  readonly way: FickleTierStore;
  readonly link: TierLink;
  readonly keeper: TicketKeeper;
  isWanted = true;

  constructor(tier: Tier, id: string, seal: TicketSeal | null, areUsed: boolean) {
    const { clock, store } = tier;
    const log = (text: string, fields?: object): void => void this.logged.push(`${text} ${JSON.stringify(fields ?? {})}`);
    this.keeper = new TicketKeeper({ clock, memory: this.memory, fill, rotationMs: ROTATION_MS, areUsed, isWanted: () => this.isWanted, log: { info: log, warn: log, error: log } });
    this.way = new FickleTierStore(store, clock);
    const nothing = (): void => undefined;
    this.link = new TierLink({
      store: this.way.store, id, clock, random: seededRandom(id.charCodeAt(0)), timing: () => PACE, previousIncarnation: null, history: () => null,
      record: { zone: '', addresses: [], software: 'test', sinceMs: 0 },
      events: { onVerdict: nothing, onRole: nothing, onRead: nothing, onOperatorState: nothing, onMembers: nothing, onSuspicions: nothing, onConfig: nothing, onTickets: (text) => this.keeper.accept(text), onState: () => this.keeper.poke() },
      log: { warn: nothing, error: nothing },
    });
    this.keeper.start();
    this.keeper.join({ membership: this.link, seal });
    this.link.setState('ready');
  }

  /** The names of its keys, newest first. */
  get keys(): number[] {
    return this.memory.read()!.map(({ name }) => name[0]!);
  }

  async stop(clock: VirtualClock): Promise<void> {
    this.keeper.stop();
    const stopped = this.link.stop();
    await clock.advance(2000);
    await stopped;
  }
}

class Tier {
  readonly clock = new VirtualClock();
  readonly store = new TierMemoryStore({ clock: this.clock, random: seededRandom(3) });
  readonly members: Member[] = [];

  add(id: string, seal: TicketSeal | null = OURS, areUsed = true): Member {
    const member = new Member(this, id, seal, areUsed);
    this.members.push(member);
    return member;
  }

  async up(...ids: readonly string[]): Promise<Member[]> {
    for (const id of ids) {
      this.add(id);
      await this.clock.advance(100);
    }
    await this.clock.advance(2 * PACE.leaseMs);
    return this.members;
  }

  /** As the leader would put it, whoever has its credentials. */
  async put(text: string | null): Promise<void> {
    const leader = this.members.find(({ link }) => link.leads)!;
    await this.store.putTickets({ ...leader.link.caller(), expectedSha: ticketsSha(await this.held()), text });
  }

  /** What the store has. */
  async held(): Promise<string | null> {
    const answer = await this.store.call({ ...this.members[0]!.link.caller(), number: 0, leaseMs: 3000, probers: 3, state: null, record: null, beside: null, reports: [], reportsDigest: null, suspicions: [], suspicionEveryMs: 1, operatorStates: [], have: null });
    return answer.verdicts.entries.find(({ key }) => key === TICKETS_KEY)?.text ?? null;
  }
}

let tier = new Tier();
afterEach(async () => {
  for (const member of tier.members) await member.stop(tier.clock);
  tier = new Tier();
});

it('are the same in all members, and in one that comes later', async () => {
  const [a, b] = await tier.up('a', 'b');
  expect(b!.keys).toEqual(a!.keys);
  const late = tier.add('c');
  expect(late.keys).not.toEqual(a!.keys);
  expect(late.keeper.state).toEqual({ keys: 'own', reason: 'the tier has no keys yet' });
  await tier.clock.advance(2 * PACE.heartbeatMs);
  expect([late.keys, late.keeper.state]).toEqual([a!.keys, { keys: 'tier', reason: '' }]);
  expect(late.logged).toEqual(['session tickets are good at all members of the tier {}']);
});

it('are replaced at every rotation, by one that all have had for a rotation', async () => {
  const [a, b] = await tier.up('a', 'b');
  for (let rotation = 0; rotation < 3; rotation++) {
    const before = a!.keys;
    await tier.clock.advance(ROTATION_MS);
    expect(a!.keys).toEqual([expect.any(Number), ...before.slice(0, -1)]);
    expect(b!.keys).toEqual(a!.keys);
    expect(before.indexOf(a!.keys[SEALING_GENERATION]!)).toBe(0);
  }
});

it('are changed by the leader alone, once a rotation, and by nobody while the store is away', async () => {
  const [a, b] = await tier.up('a', 'b');
  const puts = (): number[] => [a!, b!].map(({ way }) => way.ticketPuts);
  expect(puts()).toEqual([1, 0]);
  // One that is not told of a rotation finds it due until it asks.
  b!.way.losesHints = true;
  await tier.clock.advance(8 * ROTATION_MS);
  expect(puts()).toEqual([9, 0]);
  b!.way.losesHints = false;
  for (const { way } of tier.members) way.away = 'refused';
  await tier.clock.advance(2 * ROTATION_MS);
  // One may have been on its way.
  expect(puts()[0]).toBeLessThanOrEqual(10);
  expect(puts()[1]).toBe(0);
});

it('are no more than what the store cannot read', async () => {
  const [a] = await tier.up('a');
  const text = (await tier.held())!;
  expect(text).toMatch(/^[\w-]{200,400}$/);
  const bytes = Buffer.from(text, 'base64url');
  for (const key of a!.keys) expect(bytes.includes(Buffer.alloc(16, key))).toBe(false);
});

it('that nobody sealed are not taken: said once, and the leader puts its own back', async () => {
  const [a, b] = await tier.up('a', 'b');
  const keys = a!.keys;
  const stranger = sealOf('a secret of somebody else');
  const forged = sealRecord({ madeMs: 1, keys: new Uint8Array(TICKET_KEYS_BYTES).fill(255) }, stranger);
  const altered = Buffer.from((await tier.held())!, 'base64url');
  altered[40]! ^= 1;
  for (const garbage of [forged, altered.toString('base64url'), 'garbage', '', 'A']) {
    await tier.put(garbage);
    await tier.clock.advance(3 * PACE.heartbeatMs);
    expect([a!.keys, b!.keys]).toEqual([keys, keys]);
    expect(OURS.open((await tier.held())!)).not.toBeNull();
  }
  for (const { logged } of [a!, b!]) expect(logged.slice(1)).toEqual(['the keys of session tickets in the store are not taken {"reason":"they are not sealed by the tier key"}']);
});

it('of long ago, or of before the store began anew, are not taken', async () => {
  const [a, b] = await tier.up('a', 'b');
  const old = (await tier.held())!;
  await tier.clock.advance(25 * ROTATION_MS);
  const keys = a!.keys;
  const future = sealRecord({ madeMs: a!.link.tierMs() + 2 * ROTATION_MS, keys: new Uint8Array(TICKET_KEYS_BYTES).fill(255) }, OURS);
  for (const replayed of [old, future]) {
    await tier.put(replayed);
    await tier.clock.advance(3 * PACE.heartbeatMs);
    expect([a!.keys, b!.keys]).toEqual([keys, keys]);
    expect(await tier.held()).not.toBe(replayed);
  }
  expect(b!.logged.at(-1)).toContain('they are of another time');
});

it('survive a store that loses everything, and are as old as they were', async () => {
  const [a, b] = await tier.up('a', 'b');
  await tier.clock.advance(ROTATION_MS / 2);
  const keys = a!.keys;
  tier.store.flush();
  await tier.clock.advance(4 * PACE.leaseMs);
  expect(await tier.held()).not.toBeNull();
  expect([a!.keys, b!.keys]).toEqual([keys, keys]);
  await tier.clock.advance(ROTATION_MS / 2);
  expect(a!.keys).toEqual([expect.any(Number), ...keys.slice(0, -1)]);
  expect(b!.keys).toEqual(a!.keys);
});

it('stay as they are while the store is away, are rotated when it is back, and are given up after a day of rotations', async () => {
  const [a, b] = await tier.up('a', 'b');
  const keys = a!.keys;
  for (const { way } of tier.members) way.away = 'refused';
  await tier.clock.advance(20 * ROTATION_MS);
  expect([a!.keys, b!.keys, b!.keeper.state.keys]).toEqual([keys, keys, 'tier']);
  for (const { way } of tier.members) way.away = null;
  await tier.clock.advance(4 * PACE.leaseMs);
  expect(a!.keys.slice(1)).toEqual(keys.slice(0, -1));
  expect(b!.keys).toEqual(a!.keys);
  for (const { way } of tier.members) way.away = 'refused';
  await tier.clock.advance(28 * ROTATION_MS);
  expect(b!.keeper.state).toEqual({ keys: 'own', reason: 'nobody has replaced the keys of the tier for long' });
  expect(a!.keys.filter((key) => b!.keys.includes(key))).toEqual([]);
  for (const { way } of tier.members) way.away = null;
  await tier.clock.advance(4 * PACE.leaseMs);
  expect([b!.keys, b!.keeper.state.keys]).toEqual([a!.keys, 'tier']);
});

it('go on with the next leader, at the age they have', async () => {
  const [a, b] = await tier.up('a', 'b');
  await tier.clock.advance(ROTATION_MS / 2);
  const keys = b!.keys;
  expect(a!.link.leads).toBe(true);
  tier.members.shift();
  await a!.stop(tier.clock);
  await tier.clock.advance(2 * PACE.leaseMs);
  expect([b!.link.leads, b!.keys]).toEqual([true, keys]);
  await tier.clock.advance(ROTATION_MS / 2);
  expect(b!.keys).toEqual([expect.any(Number), ...keys.slice(0, -1)]);
});

it('are each proxy’s own without a tier key, replaced at the same pace, and that is said once', async () => {
  const a = tier.add('a', null);
  await tier.clock.advance(5 * ROTATION_MS + PACE.leaseMs);
  expect(await tier.held()).toBeNull();
  expect(a.keeper.state).toEqual({ keys: 'own', reason: 'there is no tier key' });
  expect(a.logged).toEqual(['session tickets are good at this proxy alone {"reason":"there is no tier key"}']);
  const before = a.keys;
  await tier.clock.advance(ROTATION_MS);
  expect(a.keys).toEqual([expect.any(Number), ...before.slice(0, -1)]);
});

it('are shared with nobody where the runtime does not use them, and that is said', async () => {
  const a = tier.add('a', OURS, false);
  await tier.clock.advance(3 * PACE.leaseMs);
  expect(await tier.held()).toBeNull();
  expect(a.keeper.state).toEqual({ keys: 'own', reason: 'this runtime takes no keys of ours' });
  expect(a.logged).toEqual(['session tickets are good at this proxy alone {"reason":"this runtime takes no keys of ours"}']);
});

it('are in no store while no listener gives tickets', async () => {
  const [a] = await tier.up('a');
  a!.isWanted = false;
  await tier.clock.advance(2 * PACE.heartbeatMs);
  expect(await tier.held()).toBeNull();
  a!.isWanted = true;
  const { keys } = a!;
  await tier.clock.advance(2 * PACE.heartbeatMs);
  expect([a!.keys, await tier.held()]).toEqual([keys, expect.any(String)]);
});
