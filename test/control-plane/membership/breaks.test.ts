import { afterEach, describe, expect, it } from 'vitest';
import { HEARTBEAT_MS, LEASE_MS, LinkRig, operatorPut, report, type RigMember } from '../../support/link-rig.ts';

let rig = new LinkRig();
afterEach(async () => {
  await rig.stop();
  rig = new LinkRig();
});

const now = (): number => rig.clock.wallMs();

describe('a break', () => {
  async function loaded(): Promise<RigMember[]> {
    const members = await rig.tier('a', 'b', 'c');
    for (let i = 0; i < 30; i++) for (const { link } of members) link.report(report(`c${i}`, i < 3 ? 'down' : 'up', now()));
    members[0]!.link.putOperatorState(operatorPut('web 1', 5, '{"state":"drain"}'));
    await rig.clock.advance(2 * HEARTBEAT_MS);
    return members;
  }

  it('by a store made anew is `rebuilt`: members restore it, and nothing changes for anybody', async () => {
    const members = await loaded();
    const before = members.map(({ verdicts }) => new Map(verdicts));
    rig.store.flush();
    members.forEach(({ heard }) => (heard.length = 0));
    await rig.clock.advance(2 * HEARTBEAT_MS);
    expect(members.map(({ link }) => link.state)).toEqual(members.map(() => ({ phase: 'settling', reason: 'rebuilt' })));
    expect(members.every(({ link }) => link.members.size === 3)).toBe(true);
    await rig.clock.advance(LEASE_MS + 30);
    for (const [i, member] of members.entries()) {
      expect(member.link.state.phase).toBe('connected');
      expect(member.verdicts).toEqual(before[i]);
      expect(member.heard).not.toContain('verdict c0 up');
      expect(member.link.members.size).toBe(3);
    }
    const fresh = rig.add('d');
    await rig.clock.advance(200);
    expect(fresh.verdicts.size).toBe(30);
    expect(fresh.heard).toContain('operator web 1 5 ann {"state":"drain"}');
  });

  it('by writes lost is `rewound`: digests tell, all is sent again, and all agree in time', async () => {
    const members = await loaded();
    const snapshot = rig.store.snapshot();
    for (const { link } of members) link.report(report('c9', 'down', now()));
    members[1]!.link.putOperatorState(operatorPut('web 2', 6, '{}'));
    await rig.clock.advance(2 * HEARTBEAT_MS);
    rig.store.restoreSnapshot(snapshot);
    await rig.clock.advance(1.1 * HEARTBEAT_MS + 1);
    // Who calls last may find everything mended by the others.
    expect(members.map(({ link }) => link.state.reason)).toContain('rewound');
    await rig.clock.advance(LEASE_MS + 0.9 * HEARTBEAT_MS + 30);
    for (const { link, verdicts } of members) {
      expect(link.state.phase).toBe('connected');
      expect(verdicts.get('c9')).toBe('down');
    }
    const fresh = rig.add('d');
    await rig.clock.advance(200);
    expect(fresh.verdicts.get('c9')).toBe('down');
    expect(fresh.heard).toContain('operator web 2 6 ann {}');
  });

  it('by writes lost is found though the store has moved on past what was read', async () => {
    const members = await loaded();
    const snapshot = rig.store.snapshot();
    for (const { link } of members) link.report(report('c9', 'down', now()));
    await rig.clock.advance(2 * HEARTBEAT_MS);
    rig.store.restoreSnapshot(snapshot);
    const odd = { member: 'odd', incarnation: 'o', previous: null, leaseMs: LEASE_MS, record: '{}', protocol: 1, protocolMin: 1, history: null };
    await rig.store.join(odd);
    const reports = Array.from({ length: 20 }, (_, i) => report(`n${i}`, 'up'));
    await rig.store.call({ ...odd, number: 1, probers: 3, state: null, record: null, beside: null, reports, reportsDigest: null, suspicions: [], suspicionEveryMs: 1000, operatorStates: [], have: null });
    await rig.clock.advance(1.1 * HEARTBEAT_MS + 1);
    expect(members.map(({ link }) => link.state.reason)).toContain('rewound');
    await rig.clock.advance(LEASE_MS + HEARTBEAT_MS);
    for (const { link, verdicts } of members) {
      expect(link.state.phase).toBe('connected');
      expect(verdicts.get('c9')).toBe('down');
      expect(verdicts.get('n19')).toBe('up');
    }
  });

  it('makes members read all again spread over 5 ms for each of them, renewing their leases meanwhile', async () => {
    const members = await rig.tier(...Array.from({ length: 40 }, (_, i) => `m${i}`));
    for (let i = 0; i < 5; i++) members[0]!.link.report(report(`c${i}`, 'up', now()));
    await rig.clock.advance(2 * HEARTBEAT_MS);
    const startMs = rig.clock.monotonicMs();
    for (const { way, link } of members) {
      way.alter = (answer) => ((way.alter = (same) => same), { ...answer, verdicts: { ...answer.verdicts, digest: 1 } });
      link.hurry();
    }
    await rig.clock.advance(400);
    expect(members.every(({ link }) => link.state.reason === 'rewound')).toBe(true);
    const firstPages = members.map(({ way }) => way.callTimesMs.find((atMs, i) => atMs >= startMs && way.calls[i]!.have?.verdicts === 0)! - startMs);
    expect(Math.max(...firstPages)).toBeLessThanOrEqual(200);
    expect(new Set(firstPages.map((atMs) => Math.floor(atMs / 20))).size).toBeGreaterThan(5);
    await rig.clock.advance(2 * LEASE_MS);
    expect(members.every(({ link, verdicts }) => link.state.phase === 'connected' && verdicts.size === 5)).toBe(true);
  });

  it('that brought back an older record is mended', async () => {
    const [a, b] = await rig.tier('a', 'b');
    const snapshot = rig.store.snapshot();
    a!.link.setRecord({ zone: 'z9' });
    await rig.clock.advance(1.2 * HEARTBEAT_MS);
    rig.store.restoreSnapshot(snapshot);
    await rig.clock.advance(2 * HEARTBEAT_MS);
    const fresh = rig.add('c');
    await rig.clock.advance(100);
    expect(fresh.link.members.get('a')?.record.zone).toBe('z9');
    expect(b!.link.members.get('a')?.record.zone).toBe('z9');
  });

  it('that brought back a withdrawn report is mended', async () => {
    const members = await loaded();
    const snapshot = rig.store.snapshot();
    members[0]!.link.report(report('c5', null, now()));
    await rig.clock.advance(2 * HEARTBEAT_MS);
    rig.store.restoreSnapshot(snapshot);
    await rig.clock.advance(2 * HEARTBEAT_MS);
    expect([...(await rig.store.reports(['c5'])).get('c5')!.keys()]).toEqual(['b', 'c']);
    expect(members[0]!.joined).toHaveLength(1);
  });

  it('that cannot be mended by sending all again ends with a new incarnation', async () => {
    const [a] = await loaded();
    const former = a!.link.incarnation;
    a!.way.alter = (answer) => ({ ...answer, reportsDiffer: a!.way.calls.at(-1)!.incarnation === former });
    await rig.clock.advance(3 * HEARTBEAT_MS);
    expect(a!.joined).toHaveLength(2);
    await rig.clock.advance(2 * LEASE_MS);
    expect(a!.joined).toHaveLength(2);
    expect(a!.link.state.phase).toBe('connected');
  });

  it('of the config alone is found within a lease, and handed on', async () => {
    const [a, b] = await loaded();
    const leader = [a!, b!].find(({ link }) => link.leads) ?? a!;
    const publish = async (sha: string): Promise<void> => {
      await rig.store.publish({ ...leader.link.caller(), history: 'h', parentSha: null, number: 1, sha, version: 'v', rollout: 'r', bytes: new Uint8Array(1) });
    };
    const snapshot = rig.store.snapshot();
    await publish('one');
    await rig.clock.advance(1.5 * HEARTBEAT_MS);
    const rolledOut = b!.link.config?.rollout?.number;
    expect(rolledOut).toBe(1);
    const count = (): number => b!.heard.filter((line) => line.startsWith('config')).length;
    const before = count();
    await rig.clock.advance(5 * HEARTBEAT_MS);
    expect(count()).toBe(before);
    b!.way.alter = (answer) => ({ ...answer, config: answer.config === null ? null : { ...answer.config, rollout: null } });
    await rig.clock.advance(LEASE_MS + HEARTBEAT_MS);
    expect(count()).toBe(before + 1);
    expect(b!.link.state.phase).toBe('connected');
    rig.store.restoreSnapshot(snapshot);
  });

  it('is none when only removed entries were forgotten: the table is read whole, and what is gone is told', async () => {
    const [a, b] = await rig.tier('a', 'b');
    const of = Array.from({ length: 1200 }, (_, i) => `c${i}`);
    for (const check of of) a!.link.report(report(check, 'up', now()));
    await rig.clock.advance(2 * HEARTBEAT_MS);
    expect(b!.verdicts.size).toBe(1200);
    b!.way.losesHints = true;
    for (const check of of) a!.link.report(report(check, null, now()));
    await rig.clock.advance(2 * HEARTBEAT_MS);
    const leader = a!.link.leads ? a! : b!;
    for (let i = 0; i < of.length; i += 400) expect(await rig.store.forget(leader.link.caller(), of.slice(i, i + 400))).toBe(true);
    await rig.clock.advance(1.1 * HEARTBEAT_MS + 50);
    expect([...b!.verdicts.values()].every((verdict) => verdict === 'none')).toBe(true);
    expect(b!.link.state.phase).toBe('connected');
  });
});
