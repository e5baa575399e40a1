/**
 * Proxies of several releases in one tier, as in a rolling upgrade: processes
 * of their own, of which some speak another protocol (test/support/other-release.ts).
 */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { TierAnswer } from '../../../src/control-plane/admin/answers.ts';
import { tierKeys } from '../../../src/control-plane/store/redis/scripts.ts';
import { PROTOCOL, PROTOCOL_MIN } from '../../../src/control-plane/store/tier-store.ts';
import { isConnected, untilTier } from '../../support/loaded-tier.ts';
import { tierConfig, TierProcesses } from '../../support/tier-processes.ts';
import { until, type WeirProcess } from '../../support/weir-process.ts';

const TIER = 'test';
const NEXT = { own: PROTOCOL + 1, oldest: PROTOCOL };
const AFTER_NEXT = { own: PROTOCOL + 3, oldest: PROTOCOL + 2 };
const module = fileURLToPath(new URL('../../support/other-release.ts', import.meta.url));

type Release = typeof NEXT;

async function spawnOf(tier: TierProcesses, release: Release, node: string, yaml: string): Promise<WeirProcess> {
  const proxy = await tier.spawn(node, yaml, { env: { NODE_OPTIONS: `--import=${module}`, WEIR_OTHER_RELEASE: `${release.own} ${release.oldest}` } });
  await proxy.line(({ text }) => text === 'ready');
  return proxy;
}

/** ` meta` is fields by spaces, the tenth of which is the tier's protocol. */
async function protocolOf(tier: TierProcesses): Promise<number> {
  return Number((await tier.redis.client().hget(tierKeys(TIER)[0]!, ' meta'))?.split(' ')[9]);
}

/** How many calls its incarnation has made. */
async function callsOf(tier: TierProcesses, node: string): Promise<number> {
  return Number((await tier.redis.client().hget(tierKeys(TIER)[0]!, node))?.split(' ')[1]);
}

const isWhole = (count: number) => (view: TierAnswer): boolean => isConnected(view) && view.members.length === count && view.members.every(({ state }) => state === 'ready');

test('releases side by side are one tier, whose protocol is raised once all speak the next, and then keeps the former out', { timeout: 240_000 }, async () => {
  await using tier = await TierProcesses.start();
  const yaml = tierConfig(tier.redis.port, 'mixed').replace('heartbeat: 500ms, lease: 2s', 'heartbeat: 250ms, lease: 750ms');
  const [old] = (await tier.up(['old'], yaml)) as [WeirProcess];
  const later = await spawnOf(tier, NEXT, 'later', yaml);
  await untilTier([old, later], isWhole(2));

  // They agree: a word said to either holds on both.
  expect(await tier.command(later, 'drain', 'old')).toMatchObject({ code: 0 });
  await until(async () => (await old.admin('/readyz')).status === 503);
  expect(await tier.command(old, 'undrain', 'old')).toMatchObject({ code: 0 });
  await untilTier([old, later], isWhole(2));

  // As long as one of this release is in nothing is raised.
  const called = await callsOf(tier, 'old');
  await until(async () => (await callsOf(tier, 'old')) > called + 3);
  expect(await protocolOf(tier)).toBe(PROTOCOL);

  old.signal('SIGTERM');
  await old.exited;
  const upgraded = await spawnOf(tier, NEXT, 'old', yaml);
  await untilTier([upgraded, later], isWhole(2));
  await until(async () => (await protocolOf(tier)) === NEXT.own);
  await Promise.all([
    staysOut(await tier.spawn('former', yaml), NEXT.own, { own: PROTOCOL, oldest: PROTOCOL_MIN }),
    staysOut(await spawnOf(tier, AFTER_NEXT, 'unknown', yaml), NEXT.own, AFTER_NEXT),
  ]);
  expect(await protocolOf(tier)).toBe(NEXT.own);
  await untilTier([upgraded, later], isWhole(2));
});

async function staysOut(proxy: WeirProcess, spoken: number, { own, oldest }: Release): Promise<void> {
  await proxy.line(({ text }) => text === 'ready');
  await untilTier([proxy], ({ controlPlane, reason }) => controlPlane === 'autonomous' && reason === `the tier speaks protocol ${spoken}, this release ${oldest} to ${own}`);
  expect(await proxy.get('/')).toMatchObject({ status: 200, body: 'mixed' });
}
