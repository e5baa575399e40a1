/**
 * Nanoseconds a pick by each algorithm costs, and milliseconds to make its
 * instance, over pools of 2 to 10,000 backends. Loads and latencies are read
 * from shared rows as in a worker. The least of several short rounds, so that
 * other work on the machine changes the figures little.
 * Run: node bench/micro/balance.ts [algorithm]
 */
import { systemClock } from '../../src/base/clock.ts';
import { mix32 } from '../../src/base/hash.ts';
import { seededRandom } from '../../src/base/random.ts';
import type { BalancerDefinition, Candidate } from '../../src/data-plane/balance/balancer.ts';
import { PoolCandidate } from '../../src/data-plane/balance/pool-candidate.ts';
import { balancers } from '../../src/data-plane/balance/registry.ts';
import { BackendTable, tableTime } from '../../src/shared/backend-table.ts';

const SIZES = [2, 10, 100, 1000, 10_000];
const PICKS = 10_000;
const ROUNDS = 20;

const only = process.argv[2];
const table = new BackendTable();
table.ensure({ backends: SIZES.at(-1)!, pools: 0, listeners: 0 });
const random = seededRandom(1);
const time = { now: tableTime(systemClock.monotonicMs()) };

function pool(size: number): Candidate[] {
  return Array.from({ length: size }, (_, i) => {
    const row = table.backend(i);
    row.addInFlight(random.below(20) - row.inFlight);
    row.storeLatency(500 + random.below(5000), systemClock.monotonicMs());
    return new PoolCandidate(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:8080`, 1 + (i % 4), row, time);
  });
}

function measure(definition: BalancerDefinition, size: number): { pickNs: number; buildMs: number } {
  const candidates = pool(size);
  const options = definition.options.parse({});
  const request = { keyHash: 0, isPassedOver: null };
  const pickNs: number[] = [];
  const buildMs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = systemClock.monotonicMs();
    const balancer = definition.create(candidates, options, { random, previous: null });
    const built = systemClock.monotonicMs();
    for (let i = 0; i < PICKS; i++) {
      request.keyHash = mix32(i);
      if (balancer.pick(request) < 0) throw new Error(`${definition.name} picked nobody`);
    }
    pickNs.push(((systemClock.monotonicMs() - built) * 1e6) / PICKS);
    buildMs.push(built - before);
  }
  return { pickNs: Math.min(...pickNs), buildMs: Math.min(...buildMs) };
}

console.log(['pick, ns (build, ms)'.padEnd(20), ...SIZES.map((size) => String(size).padStart(14))].join(''));
for (const definition of balancers) {
  if (only !== undefined && definition.name !== only) continue;
  for (const size of [2, 100]) for (let warmUp = 0; warmUp < 3; warmUp++) measure(definition, size);
  const cells = SIZES.map((size) => {
    const { pickNs, buildMs } = measure(definition, size);
    return `${pickNs.toFixed(0)} (${buildMs.toFixed(2)})`.padStart(14);
  });
  console.log([definition.name.padEnd(20), ...cells].join(''));
}
