/** What clients lose when the store, or a proxy, or both go, and how soon all agree again. */
import { SentinelRig } from '../../test/support/redis-sentinel.ts';
import { tierOf } from '../../test/support/loaded-tier.ts';
import type { WeirProcess } from '../../test/support/weir-process.ts';
import { BenchTier, HEARTBEAT_MS, isCalm, LEASE_MS, NODES, waitMs } from './bench-tier.ts';
import type { Figure } from './figure.ts';

const AWAY_MS = 6000;
const STOPPED_MS = 60_000;
/** Of writes that a failover loses. */
const LOST_WRITES_MS = 1000;
const LOOK_EVERY_MS = 50;

async function lostIn(bench: BenchTier, phase: string, work: () => Promise<void>): Promise<Figure> {
  await bench.load.phase(phase);
  await work();
  const { count, of, kinds } = await bench.lost(phase);
  return { what: `lost by clients of the others: ${phase}`, unit: 'requests', values: [count], atMost: 0, note: `of ${of}${kinds === '' ? '' : `: ${kinds}`}` };
}

async function redisAway(bench: BenchTier): Promise<void> {
  const { port } = bench.tier.redis;
  await bench.tier.redis.stop();
  await bench.untilEvery(({ controlPlane }) => controlPlane === 'autonomous');
  await waitMs(AWAY_MS);
  await bench.tier.restartRedis(port);
  await bench.untilEvery((view) => isCalm(view) && view.members.length === bench.proxies.size);
}

export async function lossRows(bench: BenchTier): Promise<Figure[]> {
  const figures = [await lostIn(bench, 'Redis killed, back empty', () => redisAway(bench))];
  figures.push(await lostIn(bench, 'a proxy and Redis killed at once', async () => {
    bench.kill(['e']);
    await redisAway(bench);
  }));
  await bench.spawn(['e']);
  figures.push(await lostIn(bench, `Redis stopped for ${STOPPED_MS / 1000} s`, async () => {
    bench.tier.redis.pause();
    await bench.untilEvery(({ controlPlane }) => controlPlane === 'autonomous');
    await waitMs(STOPPED_MS);
    bench.tier.redis.resume();
    await bench.untilEvery((view) => isCalm(view) && view.members.length === bench.proxies.size);
  }));
  return figures;
}

/** What members have to agree on; what a proxy sees for itself (ejections) and when is not of it. */
async function viewOf(proxy: WeirProcess): Promise<string> {
  const { controlPlane, reason, leader, config, rollout, members, verdicts } = await tierOf(proxy);
  if (controlPlane !== 'connected' || reason !== '') return '';
  const { items } = JSON.parse((await proxy.admin('/api/v1/backends')).body) as { items: { pool: string; address: string; state: string; verdict: string }[] };
  return JSON.stringify([leader, config, rollout, members.map(({ id, state }) => [id, state]), verdicts.map(({ address, verdict }) => [address, verdict]), items.map(({ pool, address, state, verdict }) => [pool, address, state, verdict])]);
}

/** Milliseconds from `fromMs` until all have one view, of all members, of `drained` as such, and keep it for a lease. */
async function agreedMs(bench: BenchTier, fromMs: number, drained: string): Promise<number> {
  let sinceMs = Number.NaN;
  let text = '';
  for (;;) {
    const askedMs = Date.now();
    const views = await Promise.all([...bench.proxies.values()].map(viewOf));
    const isOne = views[0] !== '' && new Set(views).size === 1 && (JSON.parse(views[0]!) as unknown[][])[3]!.length === bench.proxies.size && views[0]!.includes(`["probed","${drained}","drain","down"]`);
    if (!isOne) sinceMs = Number.NaN;
    else if (views[0] !== text || Number.isNaN(sinceMs)) sinceMs = askedMs;
    text = views[0]!;
    if (askedMs - sinceMs > LEASE_MS) return Math.max(0, sinceMs - fromMs);
    await waitMs(LOOK_EVERY_MS);
  }
}

/** The replica is cut off, a backend is drained and another thing fails, and then the master dies: all that was only there. */
async function failover(): Promise<{ readonly agreed: number; readonly lost: Figure; readonly outage: number }> {
  const rig = await SentinelRig.start();
  try {
    await using bench = await BenchTier.start({ store: rig.url });
    let agreed = Number.NaN;
    let outage = Number.NaN;
    const lost = await lostIn(bench, 'a Sentinel failover that lost the last writes', async () => {
      const [one] = bench.probed;
      const [proxy] = [...bench.proxies.values()];
      await rig.cutReplication();
      const down = bench.verdictTimes(one!.address, 'down');
      const cutMs = Date.now();
      one!.mood = 'failing';
      await proxy!.admin(`/api/v1/pools/probed/backends/${one!.address}/state`, 'POST', { state: 'drain' });
      await down;
      await waitMs(Math.max(0, LOST_WRITES_MS - (Date.now() - cutMs)));
      const killedMs = Date.now();
      await rig.failOver();
      outage = Date.now() - killedMs;
      agreed = await agreedMs(bench, Date.now(), one!.address);
    });
    return { agreed, lost, outage };
  } finally {
    await rig.stop();
  }
}

export async function failoverRows(count: number): Promise<Figure[]> {
  const agreed: number[] = [];
  const lost: Figure[] = [];
  const outages: number[] = [];
  for (let round = 0; round < count; round++) {
    const result = await failover();
    agreed.push(result.agreed);
    outages.push(result.outage);
    lost.push(result.lost);
  }
  return [
    { what: 'all agree again after a failover that lost the last writes', unit: 'ms', values: agreed, atMost: LEASE_MS + 2 * HEARTBEAT_MS + 10 * NODES.length, note: `from the new master on; Sentinels took up to ${Math.max(...outages)} ms` },
    { ...lost[0]!, values: lost.flatMap(({ values }) => values), note: lost.map(({ note }) => note).join('; ') },
  ];
}
