/** How soon all proxies know what has become of a backend. */
import { BackendProcess } from '../../test/support/backend-process.ts';
import { tierOf } from '../../test/support/loaded-tier.ts';
import { HEARTBEAT_MS, isCalm, LEASE_MS, NODES, PROBERS, waitMs, type BenchTier } from './bench-tier.ts';
import type { Figure } from './figure.ts';
import type { MoodyBackend } from './moody-backend.ts';

const QUORUM = Math.floor(PROBERS / 2) + 1;
const PROBES_WINDOW_MS = 10_000;
const INTERVAL_MS = 1000;
/** So that rounds do not all meet the probes in one phase. */
const APART_MS = 370;

async function recover(bench: BenchTier, backend: MoodyBackend): Promise<void> {
  backend.mood = 'well';
  await bench.untilEvery(isCalm);
}

/** From the report that made it a majority until each of them has it. */
async function fromReport(bench: BenchTier, round: number): Promise<readonly number[]> {
  const backend = bench.probed[round % bench.probed.length]!;
  await waitMs(APART_MS * (round % 3));
  const down = bench.verdictTimes(backend.address, 'down');
  backend.mood = 'failing';
  const times = await down;
  const [proxy] = [...bench.proxies.values()];
  let saw: number[] = [];
  do {
    const { verdicts } = await tierOf(proxy!);
    const seenBy = verdicts.find(({ address }) => address === backend.address)?.seenBy ?? [];
    saw = seenBy.filter(({ verdict }) => verdict === 'down').map(({ at }) => Date.parse(at)).sort((a, b) => a - b);
  } while (saw.length < QUORUM);
  await recover(bench, backend);
  return times.map((time) => Math.max(0, time - saw[QUORUM - 1]!));
}

async function rounds(count: number, one: (round: number) => Promise<readonly number[]>): Promise<number[]> {
  const values: number[] = [];
  for (let round = 0; round < count; round++) values.push(...(await one(round)));
  return values;
}

export async function verdictRow(bench: BenchTier, count: number): Promise<Figure[]> {
  const withHints = await rounds(count, (round) => fromReport(bench, round));
  const redis = bench.tier.redis.client();
  await redis.call('ACL', 'SETUSER', 'default', '-subscribe');
  await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  const without = await rounds(count, (round) => fromReport(bench, round));
  await redis.call('ACL', 'SETUSER', 'default', '+subscribe');
  return [
    { what: 'a verdict changes on all, from the deciding report', unit: 'ms', values: withHints, atMost: 60 },
    { what: '… with pub/sub lost', unit: 'ms', values: without, atMost: 1.1 * HEARTBEAT_MS },
  ];
}

export async function silentRow(bench: BenchTier, count: number): Promise<Figure[]> {
  const values = await rounds(count, async (round) => {
    const backend = bench.probed[round % bench.probed.length]!;
    await waitMs(APART_MS * (round % 3));
    const down = bench.verdictTimes(backend.address, 'down');
    const fromMs = Date.now();
    backend.mood = 'silent';
    const times = await down;
    await recover(bench, backend);
    return [Math.max(...times) - fromMs];
  });
  return [{ what: 'a silent backend is out everywhere', unit: 'ms', values, atMost: 2500 }];
}

/** Its process is killed under load: whoever connects is refused. Out is a proxy that has ejected it or has the verdict. */
export async function crashedRow(bench: BenchTier, count: number): Promise<Figure[]> {
  const verdicts: number[] = [];
  const out = await rounds(count, async () => {
    await bench.load.phase('backend crashed');
    const backend = bench.loaded.pop()!;
    const proxies = [...bench.proxies.values()];
    const from = proxies.map(({ log }) => log.length);
    const isOut = proxies.map((proxy, at) => proxy.line((line) => (line.text === 'backend ejected' || line.text === 'backend down') && line['address'] === backend.address, from[at]));
    const down = bench.verdictTimes(backend.address, 'down');
    const fromMs = Date.now();
    await backend.kill();
    const times = (await Promise.all(isOut)).map((line) => Date.parse(String(line['time'])));
    verdicts.push(Math.max(...(await down)) - fromMs);
    bench.loaded.push(await BackendProcess.start(backend.name, backend.port));
    await bench.untilEvery(isCalm);
    return [Math.max(...times) - fromMs];
  });
  const { count: lost, of, kinds } = await bench.lost('backend crashed');
  return [
    { what: 'a crashed backend under traffic: used by no proxy', unit: 'ms', values: out, atMost: 300 },
    { what: '… and down by verdict everywhere', unit: 'ms', values: verdicts, atMost: 300, note: `${lost} of ${of} requests failed meanwhile${lost === 0 ? '' : `: ${kinds}`}` },
  ];
}

export async function probesRow(bench: BenchTier): Promise<Figure[]> {
  const before = bench.probed.map(({ probes }) => probes);
  await waitMs(PROBES_WINDOW_MS);
  const perInterval = bench.probed.map(({ probes }, at) => ((probes - before[at]!) * INTERVAL_MS) / PROBES_WINDOW_MS);
  return [{ what: `probes a backend sees an interval, ${NODES.length} proxies`, unit: 'probes', values: perInterval, atMost: PROBERS * 1.1 }];
}

/** Two probers of a backend are killed as it falls silent. */
export async function probersKilledRow(bench: BenchTier, count: number): Promise<Figure[]> {
  const gone: number[] = [];
  const lost: number[] = [];
  let requests = 0;
  let what = '';
  const out = await rounds(count, async (round) => {
    const backend = bench.probed[round % bench.probed.length]!;
    const killed = (await bench.probersOf(backend.address)).slice(0, 2);
    const phase = `probers killed ${round}`;
    await bench.load.phase(phase);
    const fromMs = Date.now();
    bench.kill(killed);
    const down = bench.verdictTimes(backend.address, 'down');
    backend.mood = 'silent';
    const views = [...bench.proxies.values()].map(async (proxy) => {
      while ((await tierOf(proxy)).members.some(({ id }) => killed.includes(id))) await waitMs(20);
      return Date.now() - fromMs;
    });
    gone.push(...(await Promise.all(views)));
    const outMs = Math.max(...(await down)) - fromMs;
    const result = await bench.lost(phase);
    lost.push(result.count);
    requests += result.of;
    what ||= result.kinds;
    await recover(bench, backend);
    await bench.spawn(killed);
    return [outMs];
  });
  return [
    { what: 'a silent backend is out everywhere, two of its probers killed with it', unit: 'ms', values: out, atMost: 7000 },
    { what: 'a killed proxy is gone from every view', unit: 'ms', values: gone, atMost: LEASE_MS + 1.1 * HEARTBEAT_MS },
    { what: 'lost by clients of the others: two proxies killed', unit: 'requests', values: lost, atMost: 0, note: `of ${requests}${what === '' ? '' : `: ${what}`}` },
  ];
}
