import { afterEach, describe, expect, it } from 'vitest';
import { parseMember } from '../../../src/control-plane/store/entry-texts.ts';
import { HEARTBEAT_MS, LEASE_MS, LinkRig, operatorPut, report } from '../../support/link-rig.ts';
import { settle } from '../../support/virtual-clock.ts';

let rig = new LinkRig();
afterEach(async () => {
  await rig.stop();
  rig = new LinkRig();
});

describe('a new member', () => {
  it('joins and is connected within one turn of the loop, without a timer, as a tier of one is', async () => {
    const { link, heard, joined } = rig.add('a');
    expect(link.state.phase).toBe('joining');
    await settle();
    expect(heard).toEqual(['config none', 'state connected']);
    expect(joined).toEqual([link.incarnation]);
    expect([...link.members.keys()]).toEqual(['a']);
    expect(link.members.get('a')).toMatchObject({ state: 'joining', record: { zone: '', addresses: ['10.0.0.0'], software: 'test' } });
    expect(link.readyCount).toBe(1);
  });

  it('is told of verdicts, operator states and config that were there', async () => {
    const [a] = await rig.tier('a');
    a!.link.report(report('x', 'down'));
    a!.link.putOperatorState(operatorPut('web 1', 5, '{"state":"drain"}'));
    await settle();
    const b = rig.add('b');
    await rig.clock.advance(100);
    expect(b.heard).toContain('verdict x down');
    expect(b.heard).toContain('operator web 1 5 ann {"state":"drain"}');
    expect(b.heard.at(-1)).toBe('state connected');
    expect([...b.link.members.keys()].sort()).toEqual(['a', 'b']);
  });
});

describe('the heartbeat', () => {
  it('is one call each H, give or take a tenth', async () => {
    const [a] = await rig.tier('a');
    const before = a!.way.calls.length;
    await rig.clock.advance(100 * HEARTBEAT_MS);
    const count = a!.way.calls.length - before;
    expect(count).toBeGreaterThan(95);
    expect(count).toBeLessThan(105);
  });

  it('is numbered, one in flight at a time, even if late', async () => {
    const [a] = await rig.tier('a');
    a!.way.lateMs = 300;
    for (let i = 0; i < 20; i++) {
      a!.link.report(report(`x${i}`, 'up'));
      a!.link.hurry();
      await rig.clock.advance(130);
    }
    expect(a!.way.underWayMax).toBe(1);
    expect(a!.way.calls.map(({ number }) => number)).toEqual(a!.way.calls.map((_, i) => i + 1));
    expect(a!.link.state.phase).toBe('connected');
  });

  it('asks what to leave beside the record, and leaves it again to a store that lost it', async () => {
    const [a] = await rig.tier('a');
    let asked = 0;
    a!.link.besideSource = () => (asked++ === 0 ? 'usage' : null);
    await rig.clock.advance(3 * HEARTBEAT_MS);
    expect(asked).toBeGreaterThanOrEqual(2);
    expect(asked).toBeLessThanOrEqual(4);
    expect((await rig.store.beside(['a'])).get('a')).toBe('usage');
    rig.store.flush();
    await rig.clock.advance(2 * HEARTBEAT_MS);
    expect((await rig.store.beside(['a'])).get('a')).toBe('usage');
  });

  it('carries state and record once, when they change', async () => {
    const [a, b] = await rig.tier('a', 'b');
    const before = a!.way.calls.length;
    a!.link.setRecord({ zone: 'z1' });
    a!.link.setState('draining');
    await rig.clock.advance(4 * HEARTBEAT_MS);
    const since = a!.way.calls.slice(before);
    expect(since.filter(({ record }) => record !== null)).toHaveLength(1);
    expect(since.filter(({ state }) => state !== null).map(({ state }) => state)).toEqual(['draining']);
    expect(b!.link.members.get('a')).toMatchObject({ state: 'draining', record: { zone: 'z1' } });
  });

  it('leaves a member that stepped out as it is, until it asks for another state', async () => {
    const [a, b, c] = await rig.tier('a', 'b', 'c');
    expect(await rig.store.stepOut(a!.link.caller())).toBe(true);
    await rig.clock.advance(3 * HEARTBEAT_MS);
    expect(c!.link.members.get('a')?.state).toBe('failed');
    expect(b!.link.readyCount).toBe(2);
    a!.link.setState('ready');
    await rig.clock.advance(2 * HEARTBEAT_MS);
    expect(c!.link.members.get('a')?.state).toBe('ready');
  });
});

describe('what is said', () => {
  it('in one turn leaves in one call, at most 125 reports a call, with a digest on the last alone', async () => {
    const [a] = await rig.tier('a');
    const before = a!.way.calls.length;
    for (let i = 0; i < 300; i++) a!.link.report(report(`${i}`, 'up'));
    await settle();
    const since = a!.way.calls.slice(before);
    expect(since.map(({ reports }) => reports.length).slice(0, 3)).toEqual([125, 125, 50]);
    expect(since.map(({ reportsDigest }) => reportsDigest !== null).slice(0, 3)).toEqual([false, false, true]);
    expect(a!.way.answers.some(({ reportsDiffer }) => reportsDiffer)).toBe(false);
    expect(a!.verdicts.size).toBe(300);
  });

  it('comes to the others at once by a message', async () => {
    const [a, b] = await rig.tier('a', 'b');
    a!.link.report(report('x', 'down'));
    await rig.clock.advance(60);
    expect(b!.verdicts.get('x')).toBe('down');
  });

  it('comes to the others within 1.1 H with all messages lost', async () => {
    const [a, b] = await rig.tier('a', 'b');
    b!.way.losesHints = true;
    a!.link.report(report('x', 'down'));
    await rig.clock.advance(1.1 * HEARTBEAT_MS + 1);
    expect(b!.verdicts.get('x')).toBe('down');
  });

  it('comes to the others by a call when it is too much for a message', async () => {
    const [a, b] = await rig.tier('a', 'b');
    for (let i = 0; i < 300; i++) a!.link.report(report(`check-${i}`, 'down'));
    await rig.clock.advance(60);
    expect(b!.verdicts.size).toBe(300);
  });

  it('is published even if nothing more is said: the member is called back for it', async () => {
    const [a, b] = await rig.tier('a', 'b');
    a!.link.report(report('x', 'down'));
    await settle();
    a!.link.report(report('y', 'down'));
    await rig.clock.advance(60);
    expect(b!.verdicts.get('y')).toBe('down');
  });

  it('suspicions go to all, 20 a heartbeat from one member', async () => {
    const [a, b] = await rig.tier('a', 'b');
    for (let i = 0; i < 50; i++) a!.link.suspect(`c${i}`);
    await rig.clock.advance(200);
    const told = b!.heard.filter((line) => line.startsWith('suspicions')).flatMap((line) => line.split(' ').slice(1));
    expect(told).toHaveLength(20);
    await rig.clock.advance(2 * HEARTBEAT_MS);
    a!.link.suspect('c49');
    await rig.clock.advance(200);
    expect(b!.heard).toContain('suspicions c49');
  });

  it('of what the store cannot take is put into form, or refused without holding up the rest', async () => {
    const [a] = await rig.tier('a');
    a!.link.report({ check: 'x', verdict: 'down', reason: `two\nlines ${'z'.repeat(300)}`, atMs: 1.5 });
    a!.link.report(report('', 'down'));
    a!.link.putOperatorState({ key: 'k', stampMs: 1, by: 'a b', text: 'nonsense' });
    await settle();
    expect(a!.verdicts.get('x')).toBe('down');
    expect(a!.link.state.phase).toBe('connected');
    expect(a!.logged).toHaveLength(2);
  });
});

describe('the lease', () => {
  it('of a member that fell silent ends within L + 1.1 H for all', async () => {
    const [a, b] = await rig.tier('a', 'b');
    a!.way.losesCalls = true;
    await rig.clock.advance(LEASE_MS + 1.1 * HEARTBEAT_MS + 1);
    expect([...b!.link.members.keys()]).toEqual(['b']);
  });

  it('once ended is not revived: the member joins anew, naming what it was, and reports anew', async () => {
    const [a, b] = await rig.tier('a', 'b');
    a!.link.report(report('x', 'down'));
    await settle();
    const former = a!.link.incarnation;
    a!.way.losesCalls = true;
    await rig.clock.advance(LEASE_MS + 2 * HEARTBEAT_MS);
    a!.way.losesCalls = false;
    await rig.clock.advance(2 * HEARTBEAT_MS);
    expect(a!.link.incarnation).not.toBe(former);
    expect(a!.way.joins.at(-1)?.previous).toBe(former);
    expect(b!.link.members.get('a')).toMatchObject({ incarnation: a!.link.incarnation, state: 'ready' });
    expect([...(await rig.store.reports(['x'])).get('x')!.keys()]).toEqual(['a']);
    await rig.clock.advance(LEASE_MS + 2 * HEARTBEAT_MS);
    expect(a!.link.state.phase).toBe('connected');
  });

  it('is given up by a stop at once', async () => {
    const [a, b] = await rig.tier('a', 'b');
    await a!.link.stop();
    await rig.clock.advance(1.1 * HEARTBEAT_MS + 1);
    expect([...b!.link.members.keys()]).toEqual(['b']);
  });

  it('is given up by a stop while the join is under way', async () => {
    const { link, way } = rig.add('a');
    way.lateMs = 100;
    await settle();
    const stopped = link.stop();
    await rig.clock.advance(250);
    await stopped;
    const b = rig.add('b');
    await rig.clock.advance(100);
    expect([...b.link.members.keys()]).toEqual(['b']);
  });

  it('does not hold up a stop for longer than L/3 if the store says nothing', async () => {
    const [a] = await rig.tier('a');
    a!.way.losesCalls = true;
    let stopped = false;
    void a!.link.stop().then(() => (stopped = true));
    await rig.clock.advance(LEASE_MS / 3 + 2);
    expect(stopped).toBe(true);
    expect(rig.clock.pending).toBe(0);
  });
});

describe('readiness', () => {
  it('for a lease is told when it is reached', async () => {
    const [a] = await rig.tier('a');
    const b = rig.add('b');
    await rig.clock.advance(100);
    b.link.setState('ready');
    await rig.clock.advance(HEARTBEAT_MS * 1.1 + 1);
    const { readySinceMs } = a!.link.members.get('b')!;
    expect(a!.link.readyCount).toBe(2);
    const before = a!.memberChanges;
    await rig.clock.advance(readySinceMs + LEASE_MS - a!.link.tierMs() - 5);
    expect(a!.memberChanges).toBe(before);
    // With whoever else reaches it within a tenth of a second.
    await rig.clock.advance(110);
    expect(a!.memberChanges).toBe(before + 1);
    expect(a!.link.tierMs() - readySinceMs).toBeGreaterThanOrEqual(LEASE_MS);
  });

  it('makes a leader, who knows', async () => {
    const [a, b] = await rig.tier('a', 'b');
    const leaders = [a!, b!].filter(({ link }) => link.leads);
    expect(leaders).toHaveLength(1);
    expect(a!.link.leader).toEqual(b!.link.leader);
    const other = leaders[0] === a ? b! : a!;
    leaders[0]!.way.away = 'refused';
    await rig.clock.advance(LEASE_MS + 2 * HEARTBEAT_MS);
    expect(other.link.leads).toBe(true);
    expect(leaders[0]!.link.leads).toBe(false);
  });
});

describe('entries that cannot be read', () => {
  it('are missing, said once, and crash nothing', async () => {
    const [a, b] = await rig.tier('a', 'b');
    await rig.store.join({ member: 'odd', incarnation: 'odd', previous: null, leaseMs: 10_000, record: 'no JSON', protocol: 1, protocolMin: 1, history: null });
    await rig.clock.advance(1.1 * HEARTBEAT_MS);
    const odd = { member: 'odd', incarnation: 'odd', number: 1, leaseMs: 10_000, probers: 3, state: 'draining', record: null, beside: null, reports: [], reportsDigest: null, suspicions: [], suspicionEveryMs: 1000, have: null } as const;
    await rig.store.call({ ...odd, operatorStates: [{ key: 'k', stampMs: 1, by: 'x', text: '1 x ' }] });
    b!.link.report(report('x', 'up'));
    await rig.clock.advance(1.1 * HEARTBEAT_MS);
    expect(a!.logged).toEqual([expect.stringContaining('"members","key":"odd"'), expect.stringContaining('"operator states","key":"k"')]);
    expect([...a!.link.members.keys()].sort()).toEqual(['a', 'b']);
    expect(a!.heard.some((line) => line.startsWith('operator k'))).toBe(false);
    expect(a!.verdicts.get('x')).toBe('up');
    expect(a!.link.state.phase).toBe('connected');
  });

  it('of a later release keep what is not known here', async () => {
    const [a, b] = await rig.tier('a', 'b');
    b!.link.setRecord({ flavour: 'new' } as object);
    await rig.clock.advance(1.1 * HEARTBEAT_MS);
    expect(a!.link.members.get('b')?.record).toMatchObject({ flavour: 'new' });
    expect(parseMember('ready i 0 {}')).not.toBeNull();
  });
});
