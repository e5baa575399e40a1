/** CPU of a request through a proxy of a tier against one without a store; interleaved, the noise told by a second one without. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../test/support/free-port.ts';
import { RedisServer } from '../../test/support/redis-server.ts';
import { measured, startLoad, startOrigin } from '../load/measure.ts';
import { findScenario } from '../load/scenarios.ts';
import type { Target } from '../load/targets.ts';
import { PROXY_CORE, start, untilListening, type Started } from '../processes.ts';
import { spread } from '../statistics.ts';
import type { Figure } from './figure.ts';

const entry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const WARM_UP_ROUNDS = 2;
/** To be ready in the store: two leases for a first config, and one to be on duty. */
const JOINED_MS = 12_000;

async function startProxy(name: string, folder: string, originPort: number, tier: string): Promise<Target> {
  const port = await freePort();
  const dir = join(folder, name);
  mkdirSync(dir);
  const file = join(dir, 'weir.yaml');
  await writeFile(file, `
listeners: { web: { bind: "127.0.0.1:${port}", pool: origin } }
pools: { origin: { health: http, backends: ["127.0.0.1:${originPort}"] } }
${tier}
admin: { bind: "127.0.0.1:0" }
`);
  const started = start(PROXY_CORE, process.execPath, [entry, 'run', file, '--workers', '1', '--node', name, '--state-dir', join(dir, 'state')]);
  await untilListening(name, started, port);
  return { name, version: '', port, started, accessLog: '' };
}

/** Of each round: with the tier over without, and without over without. */
async function ratios(targets: readonly Target[], load: Started, rounds: number, durationMs: number): Promise<{ on: number[]; noise: number[] }> {
  const scenario = findScenario('small');
  const on: number[] = [];
  const noise: number[] = [];
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    const us: number[] = [];
    for (const target of targets) us.push((await measured(load, target, { tool: 'raw', scenario, port: target.port, durationMs })).cpuUsPerRequest);
    if (round < 0) continue;
    on.push(us[0]! / us[1]!);
    noise.push(us[2]! / us[1]!);
  }
  return { on, noise };
}

export async function requestCostRows(rounds: number, durationMs = 1500): Promise<Figure[]> {
  const running: Started[] = [];
  const folder = await mkdtemp(join(tmpdir(), 'weir-tier-cost-'));
  const redis = await RedisServer.start();
  try {
    const originPort = await startOrigin(running);
    const targets: Target[] = [];
    for (const [name, tier] of [['with', `tier: { name: cost, store: "${redis.url}" }`], ['without', ''], ['again', '']] as const) {
      const target = await startProxy(name, folder, originPort, tier);
      running.push(target.started);
      targets.push(target);
    }
    await new Promise((resolve) => setTimeout(resolve, JOINED_MS));
    const { on, noise } = await ratios(targets, startLoad(running), rounds, durationMs);
    const off = spread(noise);
    return [{ what: 'CPU of a request, tier on against off', unit: 'ratio', values: [spread(on).median], atMost: 1.02, note: `median of ${rounds} rounds; without against without ${off.median.toFixed(3)} (${off.min.toFixed(3)} to ${off.max.toFixed(3)})` }];
  } finally {
    await Promise.all(running.map((each) => each.stop()));
    await redis.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
