/** Two proxies over one Redis count together, each beginning with its part; without Redis each goes on with its part. */
import { expect, test } from 'vitest';
import { RedisServer } from '../../support/redis-server.ts';
import { ask, until, WeirProcess } from '../../support/weir-process.ts';

const BURST = 40;
/** What comes by itself within the test. */
const SLACK = 4;

function config(redis: RedisServer): string {
  return `
listeners:
  web: { bind: "127.0.0.1:0", routes: [{ respond: { body: ok }, rateLimit: { key: "header:x-user", rate: 100/h, burst: ${BURST} } }] }
pools: {}
admin: { bind: "127.0.0.1:0" }
tier: { name: shop, store: "${redis.url}" }
`;
}

async function admitted(weir: WeirProcess, user: string, requests: number): Promise<number> {
  let count = 0;
  for (let i = 0; i < requests; i++) if ((await ask(weir.port(), '/', { headers: { 'x-user': user } })).status === 200) count++;
  return count;
}

async function readyMembers(weir: WeirProcess): Promise<number> {
  const { members } = JSON.parse((await weir.admin('/api/v1/tier')).body) as { members: { state: string }[] };
  return members.filter(({ state }) => state === 'ready').length;
}

test('what one of them lets through the other does not, and a lost store refuses nobody', { timeout: 120_000 }, async () => {
  const redis = await RedisServer.start();
  await using first = await WeirProcess.start(config(redis), { args: ['--node', 'a', '--workers', '1'] });
  await using second = await WeirProcess.start(config(redis), { args: ['--node', 'b', '--workers', '1'] });
  for (const weir of [first, second]) await until(async () => (await readyMembers(weir)) === 2);
  // Its own half, and with the store's leave all of the shared burst.
  let byFirst = 0;
  await until(async () => (byFirst += await admitted(first, 'anna', 5)) >= BURST / 2 + BURST);
  expect(byFirst).toBeLessThanOrEqual(BURST / 2 + BURST + SLACK);
  // Nothing is left for the other but the half it begins with.
  const bySecond = await admitted(second, 'anna', BURST * 2);
  expect(bySecond).toBeGreaterThanOrEqual(BURST / 2);
  expect(bySecond).toBeLessThanOrEqual(BURST / 2 + SLACK);
  await redis.stop();
  const away = await admitted(first, 'ben', BURST);
  expect(away).toBeGreaterThanOrEqual(BURST / 2);
  expect(away).toBeLessThanOrEqual(BURST / 2 + SLACK);
});
