import { afterEach, describe, expect, it } from 'vitest';
import { HEARTBEAT_MS, LEASE_MS, LinkRig, operatorPut, report, type RigMember } from '../../support/link-rig.ts';
import { settle } from '../../support/virtual-clock.ts';

let rig = new LinkRig();
afterEach(async () => {
  await rig.stop();
  rig = new LinkRig();
});

const now = (): number => rig.clock.wallMs();
const away = (members: readonly RigMember[], reason: string | null): void => members.forEach(({ way }) => (way.away = reason));
const states = ({ heard }: RigMember): string[] => heard.filter((line) => line.startsWith('state '));

describe('autonomous', () => {
  it('is a member after a lease without a good answer, not before, and says why', async () => {
    const [a] = await rig.tier('a');
    const lastGoodMs = rig.clock.monotonicMs();
    a!.link.hurry();
    await settle();
    a!.way.away = 'refused';
    await rig.clock.advance(lastGoodMs + LEASE_MS - 1 - rig.clock.monotonicMs());
    expect(a!.link.state.phase).toBe('connected');
    await rig.clock.advance(10);
    expect(a!.link.state).toEqual({ phase: 'autonomous', reason: 'refused' });
  });

  it('says so of a store that gives no answer, which is not waited for longer than L/3', async () => {
    const [a] = await rig.tier('a');
    a!.way.losesCalls = true;
    await rig.clock.advance(LEASE_MS + HEARTBEAT_MS * 1.1);
    expect(a!.link.state).toEqual({ phase: 'autonomous', reason: 'no answer in 1000 ms' });
    expect(a!.way.underWay).toBeGreaterThan(0);
  });

  it('goes by its own reports: those that stand at once, later ones as they come; none is sent', async () => {
    const [a, b, c] = await rig.tier('a', 'b', 'c');
    for (const { link } of [a!, b!, c!]) link.report(report('x', 'up'));
    await rig.clock.advance(100);
    a!.link.report(report('x', 'down'));
    await rig.clock.advance(100);
    expect(a!.verdicts.get('x')).toBe('up');
    a!.way.away = 'slow';
    await rig.clock.advance(LEASE_MS + HEARTBEAT_MS);
    expect(a!.verdicts.get('x')).toBe('down');
    const before = a!.way.calls.length;
    a!.link.report(report('y', 'down'));
    expect(a!.verdicts.get('y')).toBe('down');
    a!.link.report(report('y', null));
    expect(a!.verdicts.get('y')).toBe('none');
    a!.link.suspect('z');
    expect(a!.heard.at(-1)).toBe('suspicions z');
    a!.link.putOperatorState(operatorPut('web 1', 1, '{}'));
    expect(a!.heard.at(-1)).toBe('operator web 1 1 ann {}');
    await rig.clock.advance(5 * HEARTBEAT_MS);
    const since = a!.way.calls.slice(before);
    expect(since.length).toBeGreaterThan(3);
    expect(since.length).toBeLessThan(25);
    expect(since.every(({ reports }) => reports.length === 0)).toBe(true);
  });

  it('raises suspicions for itself alone, 20 a heartbeat, even as a proxy that may not join', async () => {
    await rig.tier('a');
    const other = rig.add('a');
    await settle();
    const count = (): number => other.heard.filter((line) => line.startsWith('suspicions')).length;
    for (let i = 0; i < 50; i++) other.link.suspect(`c${i % 5}`);
    expect(count()).toBe(20);
    await rig.clock.advance(5 * HEARTBEAT_MS);
    other.link.suspect('c0');
    expect(count()).toBe(21);
  });

  it('keeps members, their number and leader as last known, and does not lead', async () => {
    const members = await rig.tier('a', 'b', 'c');
    away(members, 'refused');
    await rig.clock.advance(10 * LEASE_MS);
    for (const { link } of members) {
      expect([...link.members.keys()].sort()).toEqual(['a', 'b', 'c']);
      expect(link.readyCount).toBe(3);
      expect(link.leader).not.toBeNull();
      expect(link.leads).toBe(false);
    }
  });

  it('is a proxy that starts without a store, after a lease', async () => {
    const a = rig.add('a', { away: 'refused' });
    await rig.clock.advance(LEASE_MS - 10);
    expect(a.link.state.phase).toBe('joining');
    await rig.clock.advance(20);
    expect(a.link.state).toEqual({ phase: 'autonomous', reason: 'refused' });
    a.link.report(report('x', 'up'));
    a.way.away = null;
    await rig.clock.advance(HEARTBEAT_MS * 1.1);
    expect(a.link.state.phase).toBe('settling');
    await rig.clock.advance(LEASE_MS + HEARTBEAT_MS);
    expect(a.link.state.phase).toBe('connected');
    expect(a.joined).toHaveLength(1);
  });

  it('tries again within H, each member at its own time', async () => {
    const members = await rig.tier('a', 'b', 'c', 'd');
    away(members, 'refused');
    await rig.clock.advance(4 * LEASE_MS);
    away(members, null);
    await rig.clock.advance(HEARTBEAT_MS + 1);
    expect(members.every(({ link }) => link.state.phase === 'settling')).toBe(true);
  });

  it('is no member that only lost some answers', async () => {
    const [a] = await rig.tier('a');
    for (let i = 0; i < 5; i++) {
      a!.way.away = 'slow';
      await rig.clock.advance(1.2 * HEARTBEAT_MS);
      a!.way.away = null;
      await rig.clock.advance(1.2 * HEARTBEAT_MS);
    }
    expect(states(a!)).toEqual(['state connected']);
  });
});

describe('the hand-over', () => {
  /** The tier holds `x` down; `a`, cut off meanwhile, sees it up. */
  async function cutOff(): Promise<RigMember[]> {
    const members = await rig.tier('a', 'b', 'c');
    for (const { link } of members) link.report(report('x', 'up', now()));
    await rig.clock.advance(100);
    members[0]!.way.away = 'refused';
    await rig.clock.advance(2 * LEASE_MS);
    for (const { link } of members.slice(1)) link.report(report('x', 'down', now()));
    await rig.clock.advance(2 * HEARTBEAT_MS);
    expect(members[1]!.verdicts.get('x')).toBe('down');
    expect(members[0]!.verdicts.get('x')).toBe('up');
    return members;
  }

  it('keeps the own view for a lease of good answers, then takes the word of the store', async () => {
    const [a] = await cutOff();
    a!.way.away = null;
    await rig.clock.advance(HEARTBEAT_MS + 10);
    expect(a!.link.state.phase).toBe('settling');
    const memberChanges = a!.memberChanges;
    await rig.clock.advance(LEASE_MS - HEARTBEAT_MS - 20);
    expect(a!.link.state.phase).toBe('settling');
    expect(a!.verdicts.get('x')).toBe('up');
    expect(a!.memberChanges).toBe(memberChanges);
    await rig.clock.advance(HEARTBEAT_MS * 1.1 + 20);
    expect(a!.link.state).toEqual({ phase: 'connected', reason: '' });
    expect(a!.verdicts.get('x')).toBe('down');
    expect(a!.memberChanges).toBe(memberChanges + 1);
  });

  it('takes verdicts given since at once', async () => {
    const [a, b, c] = await cutOff();
    for (const { link } of [b!, c!]) link.report(report('y', 'up', now()));
    a!.way.away = null;
    await rig.clock.advance(HEARTBEAT_MS + 10);
    for (const { link } of [b!, c!]) link.report(report('y', 'down', now()));
    await rig.clock.advance(200);
    expect(a!.link.state.phase).toBe('settling');
    expect(a!.verdicts.get('y')).toBe('down');
    expect(a!.verdicts.get('x')).toBe('up');
  });

  it('goes on seeing: what it concludes itself is its view, unless a verdict was given later than that', async () => {
    const [a, b, c] = await cutOff();
    for (const { link } of [b!, c!]) link.report(report('y', 'up', now()));
    a!.way.away = null;
    await rig.clock.advance(HEARTBEAT_MS + 10);
    for (const { link } of [b!, c!]) link.report(report('y', 'down', now()));
    await rig.clock.advance(200);
    expect(a!.link.state.phase).toBe('settling');
    a!.link.report(report('own', 'up', now()));
    a!.link.report(report('own', 'down', now()));
    expect(a!.verdicts.get('own')).toBe('down');
    a!.link.report(report('own', null, now()));
    expect(a!.verdicts.get('own')).toBe('down');
    // Said again while it contradicts the tier, and then concluded anew.
    a!.link.report(report('y', 'up', now() - 1000));
    expect(a!.verdicts.get('y')).toBe('down');
    a!.link.report(report('y', 'up', now()));
    expect(a!.verdicts.get('y')).toBe('up');
  });

  it('does not take for new what others concluded before and now say again', async () => {
    const [a, b, c] = await cutOff();
    a!.way.away = null;
    await rig.clock.advance(HEARTBEAT_MS + 10);
    for (const { link } of [b!, c!]) link.report(report('z', 'down', now() - 60_000));
    await rig.clock.advance(200);
    expect(b!.verdicts.get('z')).toBe('down');
    expect(a!.verdicts.has('z')).toBe(false);
    await rig.clock.advance(LEASE_MS + HEARTBEAT_MS);
    expect(a!.verdicts.get('z')).toBe('down');
  });

  it('begins its lease again when an answer fails', async () => {
    const [a] = await cutOff();
    a!.way.away = null;
    await rig.clock.advance(2 * HEARTBEAT_MS);
    a!.way.away = 'slow';
    await rig.clock.advance(1.2 * HEARTBEAT_MS);
    a!.way.away = null;
    await rig.clock.advance(2 * HEARTBEAT_MS);
    expect(a!.link.state.phase).toBe('settling');
    await rig.clock.advance(LEASE_MS);
    expect(a!.link.state.phase).toBe('connected');
  });

  it('sends all that stands, and nothing that was withdrawn as it began', async () => {
    const [a] = await cutOff();
    for (let i = 0; i < 700; i++) a!.link.report(report(`own ${i}`, 'up', now()));
    a!.onState = (phase) => {
      if (phase === 'settling') for (let i = 0; i < 600; i++) a!.link.report(report(`own ${i}`, null, now()));
    };
    a!.way.away = null;
    await rig.clock.advance(2 * HEARTBEAT_MS);
    const sent = a!.way.calls.flatMap(({ reports }) => reports).filter(({ check }) => check.startsWith('own'));
    expect(sent.map(({ check }) => check)).toEqual(Array.from({ length: 100 }, (_, i) => `own ${600 + i}`));
    expect([...(await rig.store.reports(['x'])).get('x')!.keys()]).toEqual(['a', 'b', 'c']);
  });

  it('leaves the own view where the store has none', async () => {
    const [a] = await cutOff();
    a!.link.report(report('mine', 'up', now()));
    a!.link.report(report('mine', null, now()));
    a!.link.report(report('other', 'up', now()));
    a!.onState = (phase) => {
      if (phase === 'settling') a!.link.report(report('other', null, now()));
    };
    a!.way.away = null;
    await rig.clock.advance(2 * LEASE_MS);
    expect(a!.link.state.phase).toBe('connected');
    expect(a!.verdicts.get('other')).toBe('up');
  });

  it('lets what it sees itself count where the tier has held it before', async () => {
    const [a] = await cutOff();
    a!.way.away = null;
    await rig.clock.advance(HEARTBEAT_MS + 10);
    expect(a!.verdicts.get('x')).toBe('up');
    a!.link.report(report('x', 'down', now()));
    expect(a!.verdicts.get('x')).toBe('down');
  });

  it('ends in autonomy if the store goes away for a lease', async () => {
    const [a] = await cutOff();
    a!.way.away = null;
    await rig.clock.advance(2 * HEARTBEAT_MS);
    a!.way.away = 'gone';
    await rig.clock.advance(LEASE_MS + 10);
    expect(states(a!).slice(-2)).toEqual([expect.stringContaining('settling'), 'state autonomous: gone']);
  });
});

describe('a paused proxy', () => {
  it('joins anew, settles and is as it was', async () => {
    const [a, b] = await rig.tier('a', 'b');
    a!.link.report(report('x', 'down', now()));
    await rig.clock.advance(HEARTBEAT_MS);
    a!.way.losesCalls = true;
    await rig.clock.advance(LEASE_MS + 2 * HEARTBEAT_MS);
    expect(b!.link.members.has('a')).toBe(false);
    a!.way.losesCalls = false;
    await rig.clock.advance(2 * HEARTBEAT_MS);
    expect(states(a!).at(-1)).toContain('settling');
    await rig.clock.advance(LEASE_MS + HEARTBEAT_MS);
    expect(a!.link.state.phase).toBe('connected');
    expect(b!.link.members.get('a')?.state).toBe('ready');
    expect(a!.verdicts.get('x')).toBe('down');
  });
});
