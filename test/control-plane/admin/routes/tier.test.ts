import { expect, test } from 'vitest';
import { tierAnswer } from '../../../../src/control-plane/admin/answers.ts';
import { operatorKey } from '../../../../src/control-plane/operator-entry.ts';
import { writeText } from '../../../../src/control-plane/rollout/config-texts.ts';
import { backendColumns } from '../../../../src/shared/counter-pages.ts';
import { AdminTier, type AdminMember } from '../../../support/admin-tier.ts';
import { AdminWorld, LOADED_AT_MS, startAdmin } from '../../../support/admin-world.ts';
import { joinAlone } from '../../../support/lone-tier.ts';
import { plainListener, plainPool } from '../../../support/plain-snapshot.ts';
import { until } from '../../../support/weir-process.ts';

const pools = [plainPool('web', ['10.0.0.1:80', '10.0.0.2:80']), plainPool('other', ['10.0.1.1:80'])];
const listeners = [plainListener('front', 0, null)];
const nothing = (): void => undefined;
const noEvents = { onVerdict: nothing, onRole: nothing, onTickets: nothing, onRead: nothing, onOperatorState: nothing, onMembers: nothing, onSuspicions: nothing, onConfig: nothing, onState: nothing };

/** `requests` answered by a backend of that row, `failures` of them not. */
function serve({ world }: AdminMember, row: number, requests: number, failures: number): void {
  const { cells, base } = world.counters[0]!.backends.at(row);
  cells[base + backendColumns.codeClass + 1]! += requests - failures;
  cells[base + backendColumns.errors]! += failures;
  cells[base + backendColumns.failures]! += failures;
}

test('without a store it is a tier of one, with what is not plainly up and who saw it', async () => {
  const world = new AdminWorld({ snapshot: { pools } });
  const link = joinAlone({ id: 'proxy-a' })(noEvents);
  world.tierMembership = link;
  const admin = await startAdmin(world);
  await until(() => link.leader !== null && link.members.get('proxy-a')?.state === 'ready');
  world.table.backend(0).verdict = 'down';
  world.notes.set(0, { sinceMs: LOADED_AT_MS, reason: 'timeout', operator: null });
  world.table.backend(2).eject(5);
  expect(tierAnswer.parse(await (await fetch(`${admin.url}/api/v1/tier`)).json())).toMatchObject({
    name: 'default',
    controlPlane: 'embedded',
    leader: 'proxy-a',
    rollout: null,
    draining: [],
    members: [{ id: 'proxy-a', state: 'ready', drain: null }],
    verdicts: [
      { pool: 'other', address: '10.0.1.1:80', verdict: 'up', ejected: true },
      { pool: 'web', address: '10.0.0.1:80', verdict: 'down', seenBy: [{ member: 'proxy-a', verdict: 'down', reason: 'timeout' }] },
    ],
  });
  await admin.close();
  await link.stop();
});

test('members and their usage are the same from any of them', async () => {
  await using tier = new AdminTier({ pools, listeners });
  const [a, b] = (await tier.up('a', 'b', 'c')) as [AdminMember, AdminMember];
  b.world.table.listener(0).addConnections(7);
  await until(async () => (await a.tier()).members.find(({ id }) => id === 'b')?.usage?.connections === 7);
  const answer = await a.tier();
  expect(answer).toMatchObject({ name: 'edge', controlPlane: 'connected', reason: '', leader: expect.stringMatching(/^[abc]$/), config: null, rollout: null });
  expect(answer.members.map(({ id, state, zone, software }) => [id, state, zone, software])).toEqual(['a', 'b', 'c'].map((id) => [id, 'ready', `zone-${id}`, '1.2.3']));
  expect(answer.members[1]).toMatchObject({ config: { version: 1, hash: 'a'.repeat(64), effectiveHash: 'a'.repeat(64) }, usage: { workers: 2, busiestWorker: 0.25, connections: 7 } });
  // Usage moves from one heartbeat to the next; everything else is one truth.
  const settled = async (member: AdminMember): Promise<unknown> => {
    const told = await member.tier();
    return { ...told, members: told.members.map(({ usage: _usage, ...rest }) => rest) };
  };
  expect(await settled(b)).toEqual(await settled(a));
});

test('traffic is summed over all members; of a pool asked for, also of its backends', async () => {
  await using tier = new AdminTier({ pools });
  const [a, b] = (await tier.up('a', 'b')) as [AdminMember, AdminMember];
  serve(a, 0, 10, 1);
  serve(b, 0, 20, 2);
  serve(b, 1, 5, 0);
  b.world.table.backend(1).addInFlight(3);
  // Totals of pools are walked anew every few seconds; those of backends at each heartbeat.
  await until(async () => (await b.tier('?pool=web')).pools['web']?.backends?.['10.0.0.2:80']?.requests === 5);
  await until(async () => (await a.tier('?pool=web')).pools['web']?.requests === 35);
  const { pools: totals } = await a.tier('?pool=web');
  expect(totals).toEqual({
    other: { requests: 0, failures: 0, inFlight: 0 },
    web: { requests: 35, failures: 3, inFlight: 3, backends: { '10.0.0.1:80': { requests: 30, failures: 3, inFlight: 0 }, '10.0.0.2:80': { requests: 5, failures: 0, inFlight: 3 } } },
  });
  expect((await a.tier()).pools['web']).not.toHaveProperty('backends');
  expect((await a.get('/api/v1/tier?pool=absent')).status).toBe(404);
});

test('a verdict that is not up comes with what each of its probers saw', async () => {
  await using tier = new AdminTier({ pools });
  const all = (await tier.up('a', 'b', 'c')) as [AdminMember, AdminMember, AdminMember];
  const seen: Record<string, 'up' | 'down'> = { a: 'down', b: 'down', c: 'up' };
  for (const { world, link } of all) {
    world.checks.set(0, 'check-of-web-1');
    world.table.backend(0).verdict = 'down';
    world.notes.set(0, { sinceMs: LOADED_AT_MS, reason: 'timeout', operator: null });
    link.report({ check: 'check-of-web-1', verdict: seen[world.node]!, reason: `as ${world.node} saw it`, atMs: LOADED_AT_MS });
  }
  await until(async () => (await all[0].tier()).verdicts[0]?.seenBy.length === 3);
  const { verdicts } = await all[2].tier();
  expect(verdicts).toEqual([
    {
      pool: 'web', address: '10.0.0.1:80', verdict: 'down', ejected: false, since: new Date(LOADED_AT_MS).toISOString(),
      seenBy: ['a', 'b', 'c'].map((member) => ({ member, verdict: seen[member], reason: `as ${member} saw it`, at: new Date(LOADED_AT_MS).toISOString() })),
    },
  ]);
});

test('with the store away a member tells what it knew last, and why it goes by itself', async () => {
  await using tier = new AdminTier({ pools }, 1000);
  const [a, b] = (await tier.up('a', 'b')) as [AdminMember, AdminMember];
  a.way.away = 'refused on purpose';
  await until(async () => (await a.tier()).controlPlane === 'autonomous');
  const alone = await a.tier();
  expect(alone.reason).toContain('refused on purpose');
  expect(alone.members.map(({ id, state }) => [id, state])).toEqual([['a', 'ready'], ['b', 'ready']]);
  expect((await b.tier()).controlPlane).toBe('connected');
  a.way.away = null;
  await until(async () => (await a.tier()).controlPlane === 'connected');
});

test('a backend counts as drained when each member has heard of it and has nothing left there', async () => {
  await using tier = new AdminTier({ pools });
  const [a, b] = (await tier.up('a', 'b')) as [AdminMember, AdminMember];
  const key = operatorKey('web', '10.0.0.1:80');
  for (const { world } of [a, b]) {
    world.table.backend(0).state = 'drain';
    world.notes.set(0, { sinceMs: LOADED_AT_MS, reason: '', operator: { state: 'drain', weight: null, reason: 'disk swap', by: 'a', atMs: LOADED_AT_MS } });
  }
  const drained = async (holds: (row: { drained: boolean; busy: string[]; unheard: string[] }) => boolean): Promise<void> => until(async () => holds((await b.tier()).draining[0]!));
  await drained(({ unheard }) => unheard.join() === 'a,b');
  a.draining = { [key]: { inFlight: 2, stampMs: LOADED_AT_MS } };
  // Of an older word than this one.
  b.draining = { [key]: { inFlight: 0, stampMs: LOADED_AT_MS - 1 } };
  await drained(({ busy, unheard }) => busy.join() === 'a' && unheard.join() === 'b');
  expect((await a.tier()).draining).toEqual([
    { pool: 'web', address: '10.0.0.1:80', state: 'drain', reason: 'disk swap', by: 'a', at: new Date(LOADED_AT_MS).toISOString(), drained: false, inFlight: 2, busy: ['a'], unheard: ['b'] },
  ]);
  a.draining = b.draining = { [key]: { inFlight: 0, stampMs: LOADED_AT_MS } };
  await drained((row) => row.drained);
});

test('a version on its way is told with its phase', async () => {
  await using tier = new AdminTier({ pools });
  const [a, b] = (await tier.up('a', 'b')) as [AdminMember, AdminMember];
  const fields = { sha: 'b'.repeat(64), history: 'h', by: 'ann', parent: null, canary: null, forced: false };
  const canary = writeText({ phase: 'canary', ...fields, members: [{ id: 'b', incarnation: 'x' }], running: true, untilMs: 2 });
  await tier.store.publish({ ...a.link.caller(), history: 'h', parentSha: null, number: 4, sha: 'b'.repeat(64), version: '{}', rollout: writeText({ phase: 'validate', ...fields }), bytes: Buffer.from('x') });
  await until(async () => (await b.tier()).rollout !== null);
  expect((await b.tier()).rollout).toMatchObject({ version: 4, phase: 'validate', by: 'ann', canaries: [] });
  const leader = tier.members.find(({ link }) => link.leads)!;
  const step = async (rollout: string): Promise<void> => {
    const expectedStep = b.link.config!.rollout!.step;
    expect(await tier.store.step({ ...leader.link.caller(), number: 4, expectedStep, rollout, headText: null })).toBe('done');
    await until(() => b.link.config?.rollout?.text === rollout);
  };
  await step(canary);
  expect((await b.tier()).rollout).toMatchObject({ version: 4, phase: 'canary', canaries: ['b'] });
  await step('of a later release');
  expect((await b.tier()).rollout).toMatchObject({ version: 4, phase: null, by: '' });
});
