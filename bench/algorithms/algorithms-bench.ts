/**
 * `npm run bench -- algorithms`: the balancing algorithms over unequal and
 * failing backends, through the real proxy. bench/README.md says how to read it.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { balancers } from '../../src/data-plane/balance/registry.ts';
import { describeMachine } from '../machine.ts';
import { LOAD_CORE, pinning, PROXY_CORE, start, untilListening, type Started } from '../processes.ts';
import { freePort } from '../../test/support/free-port.ts';
import { saveResult } from '../results.ts';
import { figure, table } from '../statistics.ts';
import type { FleetAnswer, FleetCounts, FleetOrder } from './backend-fleet.ts';
import { runOpenLoad } from './open-load.ts';
import { REQUESTS_PER_SECOND, situations, type Situation } from './situations.ts';

interface Row {
  readonly situation: string;
  readonly algorithm: string;
  /** Of the answers, by backend; they sum to 1. */
  readonly shares: readonly number[];
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
  readonly imbalance: number;
}

interface Bed {
  readonly fleet: Started;
  readonly port: number;
  readonly adminPort: number;
}

const HEALTHY_WITHIN_MS = 15_000;

export async function runAlgorithmsBench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { situations: { type: 'string' }, algorithms: { type: 'string' }, seconds: { type: 'string', default: '3' }, save: { type: 'string' } },
  });
  const algorithms = values.algorithms?.split(',') ?? balancers.map((definition) => definition.name);
  const chosen = values.situations?.split(',') ?? situations.map((situation) => situation.name);
  const machine = describeMachine(pinning);
  const rows: Row[] = [];
  for (const situation of situations.filter((each) => chosen.includes(each.name))) {
    const found = await measureSituation(situation, algorithms, Number(values.seconds) * 1000);
    console.log(situationReport(situation, found));
    rows.push(...found);
  }
  console.log(`\nsaved: ${saveResult({ kind: 'algorithms', machine, requestsPerSecond: REQUESTS_PER_SECOND, rows }, 'algorithms', values.save ?? null)}`);
}

async function measureSituation(situation: Situation, algorithms: readonly string[], durationMs: number): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'weir-algorithms-'));
  const running: Started[] = [];
  try {
    const fleet = start(LOAD_CORE, process.execPath, [fileURLToPath(new URL('./backend-fleet.ts', import.meta.url))], { ipc: true });
    running.push(fleet);
    const opened = await order(fleet, { kind: 'open', plans: situation.plans });
    const [port, adminPort] = [await freePort(), await freePort()];
    const file = join(dir, 'weir.yaml');
    writeFileSync(file, configText('ports' in opened ? opened.ports : [], algorithms, port, adminPort));
    const entry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
    const proxy = start(PROXY_CORE, process.execPath, [entry, 'run', file, '--workers', '1', '--node', 'bench', '--state-dir', join(dir, 'state')]);
    running.push(proxy);
    await untilListening('weir', proxy, port);
    const rows: Row[] = [];
    for (const algorithm of algorithms) rows.push(await measure({ fleet, port, adminPort }, situation, algorithm, durationMs));
    return rows;
  } finally {
    await Promise.all(running.map((started) => started.stop()));
    rmSync(dir, { recursive: true, force: true });
  }
}

/** One route and one pool for each algorithm, all over the same backends. */
function configText(ports: readonly number[], algorithms: readonly string[], port: number, adminPort: number): string {
  const keyed = new Set(balancers.filter((definition) => definition.usesKey && definition.fixedKey === undefined).map((definition) => definition.name));
  const config = {
    listeners: { web: { bind: `127.0.0.1:${port}`, routes: algorithms.map((name) => ({ name, match: { path: `/${name}` }, pool: name })) } },
    pools: Object.fromEntries(
      algorithms.map((name) => [
        name,
        {
          algorithm: keyed.has(name) ? { name, key: 'header:x-user' } : name,
          backends: ports.map((each) => `127.0.0.1:${each}`),
          health: { type: 'http', path: '/healthz', interval: '250ms', timeout: '200ms', fastInterval: '100ms' },
        },
      ]),
    ),
    admin: { bind: `127.0.0.1:${adminPort}` },
  };
  // JSON is YAML.
  return JSON.stringify(config);
}

async function measure(bed: Bed, situation: Situation, algorithm: string, durationMs: number): Promise<Row> {
  await untilHealthy(bed.adminPort, algorithm);
  await order(bed.fleet, { kind: 'reset' });
  const events = situation.events.map(
    ({ atShare, order: event }) => new Promise<void>((resolve, reject) => setTimeout(() => void order(bed.fleet, event).then(() => resolve(), reject), durationMs * atShare)),
  );
  const { latenciesMs, errors } = await runOpenLoad(bed.port, `/${algorithm}`, REQUESTS_PER_SECOND, durationMs);
  await Promise.all(events);
  const answer = await order(bed.fleet, { kind: 'counts' });
  const counts: FleetCounts = 'counts' in answer ? answer.counts : { answered: [], imbalance: Number.NaN };
  const total = counts.answered.reduce((sum, each) => sum + each, 0);
  const at = (share: number): number => latenciesMs[Math.floor(latenciesMs.length * share)] ?? Number.NaN;
  return { situation: situation.name, algorithm, shares: counts.answered.map((each) => each / total), p50Ms: at(0.5), p99Ms: at(0.99), errors, imbalance: counts.imbalance };
}

/** What an earlier run did to a backend must be over before the next begins. */
async function untilHealthy(adminPort: number, pool: string): Promise<void> {
  const giveUpAtMs = performance.now() + HEALTHY_WITHIN_MS;
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${adminPort}/api/v1/status?pool=${pool}`);
    const status = (await answer.json()) as { pools?: Record<string, { backends: { verdict: string; ejected: unknown }[] }> };
    const backends = status.pools?.[pool]?.backends ?? [];
    if (backends.length > 0 && backends.every((backend) => backend.verdict === 'up' && !backend.ejected)) return;
    if (performance.now() > giveUpAtMs) throw new Error(`the backends of ${pool} do not become healthy: ${JSON.stringify(backends)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function order(fleet: Started, fleetOrder: FleetOrder): Promise<FleetAnswer> {
  fleet.child.send(fleetOrder);
  const [answer] = (await once(fleet.child, 'message')) as [FleetAnswer];
  return answer;
}

function situationReport({ name, summary, plans }: Situation, rows: readonly Row[]): string {
  const heading = ['', ...plans.map((_, i) => `backend ${i + 1}`), 'p50 ms', 'p99 ms', 'imbalance', 'errors'];
  const lines = rows.map((row) => [
    row.algorithm,
    ...row.shares.map((share) => `${(share * 100).toFixed(1)} %`),
    figure(row.p50Ms),
    figure(row.p99Ms),
    row.imbalance.toFixed(2),
    String(row.errors),
  ]);
  return `\n${name}: ${summary}\n${table([heading, ...lines])}`;
}
