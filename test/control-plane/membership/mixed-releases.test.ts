/**
 * Releases side by side in one tier, as in a rolling upgrade. There is one
 * protocol so far: the later release is this one, claiming the next number too.
 */
import { afterEach, expect, it } from 'vitest';
import { PROTOCOL, type TierStore } from '../../../src/control-plane/store/tier-store.ts';
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

it('the next release is a member beside this one, speaking what this one speaks', async () => {
  const [old] = await rig.tier('old');
  const later = addClaiming('later', PROTOCOL, NEXT);
  later.link.setState('ready');
  await rig.clock.advance(2 * LEASE_MS);
  expect([old!, later].map(({ link }) => link.state.phase)).toEqual(['connected', 'connected']);
  expect([...old!.link.members.keys()].sort()).toEqual(['later', 'old']);
  expect((await rig.store.call({ ...old!.link.caller(), number: 0, leaseMs: LEASE_MS, probers: 3, state: null, record: null, beside: null, reports: [], reportsDigest: null, suspicions: [], suspicionEveryMs: 1, operatorStates: [], have: null })).protocol).toBe(PROTOCOL);
});

it('a tier begun by the next release takes this one in as well', async () => {
  const later = addClaiming('later', PROTOCOL, NEXT);
  await rig.clock.advance(HEARTBEAT_MS);
  const [old] = await rig.tier('old');
  expect([old!, later].map(({ link }) => link.state.phase)).toEqual(['connected', 'connected']);
});

it('once the leader has raised it, this release is not let in again: it serves by itself, and says why', async () => {
  const later = addClaiming('later', PROTOCOL, NEXT);
  await rig.clock.advance(HEARTBEAT_MS);
  later.link.setState('ready');
  const [old] = await rig.tier('old');
  expect(await rig.store.raiseProtocol(old!.link.caller(), NEXT)).toBe(false);
  expect(await rig.store.raiseProtocol(later.link.caller(), NEXT)).toBe(true);
  await rig.clock.advance(2 * LEASE_MS);
  // Whoever is in stays in: to raise it is for a leader that has seen all of them speak it.
  expect(old!.link.state.phase).toBe('connected');
  const restarted = rig.add('old', { previousIncarnation: old!.link.incarnation });
  await old!.link.stop();
  await rig.clock.advance(2 * HEARTBEAT_MS);
  expect(restarted.link.state).toEqual(REFUSED);
  expect([...later.link.members.keys()]).toEqual(['later']);
  const again = addClaiming('old', PROTOCOL, NEXT);
  await rig.clock.advance(LEASE_MS + 2 * HEARTBEAT_MS);
  expect(again.link.state.phase).toBe('connected');
});

it('a release that no longer speaks what the tier speaks stays out of it', async () => {
  const [old] = await rig.tier('old');
  const tooNew = addClaiming('too-new', NEXT, NEXT + 1);
  await rig.clock.advance(3 * HEARTBEAT_MS);
  expect(tooNew.link.state.phase).toBe('autonomous');
  expect(tooNew.link.state.reason).toContain(`the tier speaks protocol ${PROTOCOL}`);
  expect([...old!.link.members.keys()]).toEqual(['old']);
});
