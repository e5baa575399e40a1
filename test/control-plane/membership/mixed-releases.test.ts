/**
 * Releases side by side in one tier, as in a rolling upgrade. There is one
 * protocol so far: the later release is this one, claiming the next number too.
 */
import { afterEach, expect, it } from 'vitest';
import { PROTOCOL, StoreAway, type TierStore } from '../../../src/control-plane/store/tier-store.ts';
import { HEARTBEAT_MS, LEASE_MS, LinkRig, type RigMember } from '../../support/link-rig.ts';

const NEXT = PROTOCOL + 1;
const REFUSED = { phase: 'autonomous', reason: `the tier speaks protocol ${NEXT}, this release ${PROTOCOL} to ${PROTOCOL}` };

let rig = new LinkRig();
afterEach(async () => {
  await rig.stop();
  rig = new LinkRig();
});

function addClaiming(id: string, protocolMin: number, protocol: number, previousIncarnation: string | null = null): RigMember {
  const store: TierStore = new Proxy(rig.store, {
    get: (target, name) => {
      if (name === 'join') return (call: Parameters<TierStore['join']>[0]) => target.join({ ...call, protocolMin, protocol });
      const found = Reflect.get(target, name, target) as unknown;
      return typeof found === 'function' ? (found as () => unknown).bind(target) : found;
    },
  });
  return rig.add(id, { store, previousIncarnation });
}

/** By a call that changes nothing: its number is none. */
async function protocolOf({ link }: RigMember): Promise<number> {
  const nothing = { state: null, record: null, beside: null, reports: [], reportsDigest: null, suspicions: [], suspicionEveryMs: 1, operatorStates: [], have: null };
  return (await rig.store.call({ ...link.caller(), number: 0, leaseMs: LEASE_MS, probers: 3, ...nothing })).protocol;
}

it('the next release is a member beside this one, speaking what this one speaks', async () => {
  const [old] = await rig.tier('old');
  const later = addClaiming('later', PROTOCOL, NEXT);
  later.link.setState('ready');
  await rig.clock.advance(2 * LEASE_MS);
  expect([old!, later].map(({ link }) => link.state.phase)).toEqual(['connected', 'connected']);
  expect([...old!.link.members.keys()].sort()).toEqual(['later', 'old']);
  expect(await protocolOf(old!)).toBe(PROTOCOL);
});

it('a tier begun by the next release takes this one in as well', async () => {
  const later = addClaiming('later', PROTOCOL, NEXT);
  await rig.clock.advance(HEARTBEAT_MS);
  const [old] = await rig.tier('old');
  expect([old!, later].map(({ link }) => link.state.phase)).toEqual(['connected', 'connected']);
});

it('the leader raises it once all of them say that they speak the next one, and not before', async () => {
  const later = addClaiming('later', PROTOCOL, NEXT);
  await rig.clock.advance(HEARTBEAT_MS);
  later.link.setRecord({ protocol: NEXT });
  later.link.setState('ready');
  const [old] = await rig.tier('old');
  await rig.clock.advance(10 * LEASE_MS);
  expect(later.link.leads).toBe(true);
  expect(await protocolOf(old!)).toBe(PROTOCOL);
  // One that restarts finds its place again.
  await old!.link.stop();
  await rig.clock.advance(4 * LEASE_MS);
  const restarted = rig.add('old');
  await rig.clock.advance(2 * HEARTBEAT_MS);
  expect(restarted.link.state.phase).toBe('connected');
  await restarted.link.stop();
  const upgraded = addClaiming('old', PROTOCOL, NEXT);
  upgraded.link.setRecord({ protocol: NEXT });
  await rig.clock.advance(3 * HEARTBEAT_MS);
  expect(upgraded.link.state.phase).toBe('connected');
  expect(await protocolOf(later)).toBe(PROTOCOL);
  await rig.clock.advance(6 * LEASE_MS);
  expect(await protocolOf(later)).toBe(NEXT);
  // And no further.
  const former = rig.add('former');
  await rig.clock.advance(2 * HEARTBEAT_MS);
  expect(former.link.state).toEqual(REFUSED);
});

it('a store that is away when it is to be raised is asked again', async () => {
  const later = addClaiming('later', PROTOCOL, NEXT);
  await rig.clock.advance(HEARTBEAT_MS);
  later.link.setState('ready');
  await rig.clock.advance(LEASE_MS);
  const raise = rig.store.raiseProtocol.bind(rig.store);
  let asked = 0;
  rig.store.raiseProtocol = (...how) => (++asked === 1 ? Promise.reject(new StoreAway('refused')) : raise(...how));
  later.link.setRecord({ protocol: NEXT });
  await rig.clock.advance(6 * LEASE_MS);
  expect(asked).toBe(2);
  expect(await protocolOf(later)).toBe(NEXT);
});

it('a release that no longer speaks what the tier speaks stays out of it', async () => {
  const [old] = await rig.tier('old');
  const tooNew = addClaiming('too-new', NEXT, NEXT + 1);
  await rig.clock.advance(3 * HEARTBEAT_MS);
  expect(tooNew.link.state.phase).toBe('autonomous');
  expect(tooNew.link.state.reason).toContain(`the tier speaks protocol ${PROTOCOL}`);
  expect([...old!.link.members.keys()]).toEqual(['old']);
});
