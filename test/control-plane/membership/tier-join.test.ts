import { afterEach, describe, expect, it } from 'vitest';
import { HEARTBEAT_MS, LEASE_MS, LinkRig, report } from '../../support/link-rig.ts';
import { settle } from '../../support/virtual-clock.ts';

let rig = new LinkRig();
afterEach(async () => {
  await rig.stop();
  rig = new LinkRig();
});

describe('joining', () => {
  it('a restart takes its id over from the incarnation its disk names; that one stays out', async () => {
    const [a, b] = await rig.tier('a', 'b');
    const restarted = rig.add('a', { previousIncarnation: a!.link.incarnation });
    await rig.clock.advance(100);
    expect(restarted.link.state.phase).toBe('connected');
    await rig.clock.advance(3 * HEARTBEAT_MS);
    expect(b!.link.members.get('a')?.incarnation).toBe(restarted.link.incarnation);
    expect(a!.link.state).toEqual({ phase: 'autonomous', reason: 'the id a is in use by another proxy' });
    const joins = a!.way.joins.length;
    await rig.clock.advance(20 * HEARTBEAT_MS);
    expect(a!.way.joins.length - joins).toBeGreaterThan(3);
    expect(a!.way.joins.length - joins).toBeLessThan(25);
    expect(restarted.joined).toHaveLength(1);
    await restarted.link.stop();
    await rig.clock.advance(5 * HEARTBEAT_MS);
    expect(a!.joined).toHaveLength(2);
  });

  it('of an id that lives is refused to who cannot name it, and said so', async () => {
    await rig.tier('a');
    const other = rig.add('a');
    await settle();
    expect(other.heard).toEqual(['state autonomous: the id a is in use by another proxy']);
    other.link.report(report('x', 'down'));
    expect(other.verdicts.get('x')).toBe('down');
    expect((await rig.store.reports(['x'])).size).toBe(0);
  });

  it('is refused for another history until that is given up', async () => {
    const [a] = await rig.tier('a');
    await rig.store.publish({ ...a!.link.caller(), history: 'h1', parentSha: null, number: 1, sha: 's', version: 'v', rollout: 'r', bytes: new Uint8Array(1) });
    await rig.store.step({ ...a!.link.caller(), number: 1, expectedStep: 1, rollout: null, headText: 'head' });
    await rig.clock.advance(2 * HEARTBEAT_MS);
    expect(a!.link.config?.head).toMatchObject({ history: 'h1', number: 1 });
    let history: string | null = 'h2';
    const b = rig.add('b', { history: () => history });
    await settle();
    expect(b.link.state).toEqual({ phase: 'autonomous', reason: "the tier's config has another history (h1) than the one on this proxy's disk" });
    history = null;
    b.link.rejoin();
    await rig.clock.advance(100);
    expect(b.link.state.phase).toBe('settling');
    expect(b.heard).toContain('config 1');
    await rig.clock.advance(LEASE_MS + HEARTBEAT_MS);
    expect(b.link.state.phase).toBe('connected');
  });

  it('is refused by a tier that speaks another protocol', async () => {
    await rig.store.join({ member: 'new', incarnation: 'n', previous: null, leaseMs: 60_000, record: '{}', protocol: 9, protocolMin: 9, history: null });
    const a = rig.add('a');
    await rig.clock.advance(50);
    expect(a.link.state).toEqual({ phase: 'autonomous', reason: 'the tier speaks protocol 9, this release 1 to 1' });
  });

  it('waits its turn: of twenty started at once none is refused, and they come in 10 ms apart', async () => {
    const members = Array.from({ length: 20 }, (_, i) => rig.add(`m${i}`));
    await rig.clock.advance(150);
    const some = members.filter(({ link }) => link.state.phase === 'connected').length;
    expect(some).toBeGreaterThan(10);
    expect(some).toBeLessThan(18);
    await rig.clock.advance(150);
    expect(members.every(({ link }) => link.state.phase === 'connected')).toBe(true);
    expect(members.every(({ heard }) => !heard.some((line) => line.includes('autonomous')))).toBe(true);
  });

  it('whose answer was lost is found out: the id is its own', async () => {
    const [a] = await rig.tier('a');
    const restarted = rig.add('a', { previousIncarnation: a!.link.incarnation });
    restarted.way.losesAnswers = true;
    await rig.clock.advance(LEASE_MS / 3 + 10);
    restarted.way.losesAnswers = false;
    await rig.clock.advance(HEARTBEAT_MS * 1.1);
    expect(restarted.link.state.phase).toBe('connected');
    expect(restarted.heard.some((line) => line.includes('in use'))).toBe(false);
  });

  it('that never reached the store does not hide what it was before', async () => {
    const [a] = await rig.tier('a');
    const restarted = rig.add('a', { previousIncarnation: a!.link.incarnation });
    restarted.way.losesCalls = true;
    await rig.clock.advance(LEASE_MS / 3 + 10);
    restarted.way.losesCalls = false;
    await rig.clock.advance(HEARTBEAT_MS * 1.1);
    expect(restarted.link.state.phase).toBe('connected');
  });

  it('that comes twice, the second time late, does no harm', async () => {
    const [a, b] = await rig.tier('a', 'b');
    for (const { way } of [a!, b!]) way.doubledAfterMs = 700;
    const c = rig.add('c');
    c.way.doubledAfterMs = 700;
    await rig.clock.advance(100);
    c.link.setState('ready');
    c.link.report(report('x', 'up'));
    await rig.clock.advance(50);
    c.link.report(report('x', 'down'));
    await rig.clock.advance(5 * HEARTBEAT_MS);
    expect(a!.link.members.get('c')).toMatchObject({ state: 'ready', incarnation: c.link.incarnation });
    expect([...(await rig.store.reports(['x'])).get('x')!.values()]).toEqual([expect.stringMatching(/^down/)]);
    expect(c.joined).toHaveLength(1);
    expect(c.link.state.phase).toBe('connected');
  });
});
