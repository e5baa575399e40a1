/** `weir members`, `weir status --tier`, `weir drain MEMBER`: against members of a tier in this process. */
import { expect, test } from 'vitest';
import type { CommandOutput } from '../../src/cli/admin-client.ts';
import { drainCommand, undrainCommand } from '../../src/cli/drain.ts';
import { membersCommand } from '../../src/cli/members.ts';
import { statusCommand } from '../../src/cli/status.ts';
import type { TierAnswer } from '../../src/control-plane/admin/answers.ts';
import { AdminTier, type AdminMember } from '../support/admin-tier.ts';
import { AdminWorld, startAdmin } from '../support/admin-world.ts';
import { plainPool } from '../support/plain-snapshot.ts';
import { until } from '../support/weir-process.ts';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
async function ran(run: (output: CommandOutput) => Promise<number>): Promise<Ran> {
  let out = '';
  let err = '';
  const code = await run({ stdout: { write: (text) => (out += text) }, stderr: { write: (text) => (err += text) } });
  return { code, out, err };
}

const pools = [plainPool('web', ['10.0.0.1:80', '10.0.0.2:80'])];
const at = ({ admin }: AdminMember): { admin: string } => ({ admin: admin.url });

test('members and status --tier print a table, or the answer itself', async () => {
  await using tier = new AdminTier({ pools });
  const [a, b] = (await tier.up('a', 'b')) as [AdminMember, AdminMember];
  await until(async () => (await a.tier()).members.every(({ usage }) => usage !== null));
  const members = await ran((output) => membersCommand(at(a), output));
  expect([members.code, members.err]).toEqual([0, '']);
  expect(members.out).toMatch(/^tier edge · 2\/2 members ready · leader [ab] · no committed config\n\nMEMBER +STATE +ZONE .*\na +ready +zone-a +192\.0\.2\.\d +1 \(aaaaaaaa\) /);
  expect(members.out).not.toContain('POOL');
  const asJson = await ran((output) => membersCommand({ ...at(b), json: true }, output));
  expect(JSON.parse(asJson.out)).toMatchObject({ name: 'edge', members: [{ id: 'a' }, { id: 'b' }] });

  const status = await ran((output) => statusCommand({ ...at(b), tier: true }, output));
  expect(status.out).toMatch(/\nPOOL +IN FLIGHT +REQUESTS +FAILURES\nweb +0 +0 +0\n\nEvery backend is up\.\n$/);
  await until(async () => (await ran((output) => statusCommand({ ...at(b), tier: true, pool: 'web' }, output))).out.includes('  10.0.0.2:80'));
  const whole = JSON.parse((await ran((output) => statusCommand({ ...at(b), tier: true, json: true }, output))).out) as TierAnswer;
  expect(Object.keys(whole)).toEqual(['name', 'controlPlane', 'reason', 'leader', 'config', 'rollout', 'members', 'pools', 'draining', 'roles', 'verdicts']);
  expect(await ran((output) => statusCommand({ ...at(b), tier: true, pool: 'absent' }, output))).toMatchObject({ code: 1, err: expect.stringContaining('no pool "absent"') });
});

test('drain and undrain reach another member, which says who asked', async () => {
  await using tier = new AdminTier({ pools });
  const [a, b] = (await tier.up('a', 'b')) as [AdminMember, AdminMember];
  expect(await ran((output) => drainCommand('b', { ...at(a), reason: 'kernel update' }, output))).toEqual({ code: 0, out: 'b is draining\n', err: '' });
  expect([a.world.proxyState, b.world.proxyState]).toEqual(['ready', 'draining']);
  for (const asked of [a, b]) {
    const { out } = await ran((output) => membersCommand(at(asked), output));
    expect(out).toMatch(/\nb +draining .*drained at a \(kernel update\)/);
  }
  expect((await a.tier()).members[1]!.drain).toEqual({ reason: 'kernel update', by: 'a', at: expect.stringMatching(/Z$/) });
  expect(await ran((output) => undrainCommand('b', { ...at(a), json: true }, output))).toMatchObject({ code: 0, out: '{"member":"b","state":"ready","followed":true}\n' });
  expect(b.world.proxyState).toBe('ready');
  expect((await a.tier()).members[1]!.drain).toBeNull();
  expect(await ran((output) => drainCommand('nobody', at(a), output))).toMatchObject({ code: 1, err: expect.stringContaining('no member "nobody"') });
});

test('a member that has gone while drained can be let in again before it starts', async () => {
  await using tier = new AdminTier({ pools });
  const [a, b] = (await tier.up('a', 'b')) as [AdminMember, AdminMember];
  await ran((output) => drainCommand('b', at(a), output));
  await b.link.stop();
  await until(() => !a.link.members.has('b'));
  expect((await ran((output) => undrainCommand('b', at(a), output))).out).toBe('b is not in the tier now; it will undrain when it is\n');
});

test('a member that does not follow is said not to', async () => {
  await using tier = new AdminTier({ pools });
  const [a, b] = (await tier.up('a', 'b')) as [AdminMember, AdminMember];
  b.way.losesCalls = true;
  expect((await ran((output) => drainCommand('b', at(a), output))).out).toBe('b has been told to drain; it still is ready\n');
});

test('there is no way to another member without a store, nor while it is away', async () => {
  const alone = await startAdmin(new AdminWorld());
  expect(await ran((output) => drainCommand('proxy-b', { admin: alone.url }, output))).toMatchObject({ code: 1, err: expect.stringContaining('There is no store') });
  await alone.close();
  await using tier = new AdminTier({ pools }, 1000);
  const [a, b] = (await tier.up('a', 'b')) as [AdminMember, AdminMember];
  a.way.away = 'refused';
  await until(() => a.link.state.phase === 'autonomous');
  expect(await ran((output) => drainCommand('b', at(a), output))).toMatchObject({ code: 1, err: expect.stringContaining('The store is away') });
  expect(b.world.proxyState).toBe('ready');
});
