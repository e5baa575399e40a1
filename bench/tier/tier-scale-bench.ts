/**
 * `npm run bench -- tier-scale`: what a tier costs and how fast it is as it
 * grows, in virtual time: the real link, health and rollout of every member
 * over the memory store. Beside it what the same tier would cost the naive way:
 * every proxy probes every backend and writes each result into the store.
 */
import { parseArgs } from 'node:util';
import { SimTier } from '../../test/simulation/sim-tier.ts';
import { describeMachine } from '../machine.ts';
import { saveResult } from '../results.ts';

const SIZES: readonly (readonly [members: number, backends: number])[] = [
  [3, 100],
  [10, 1000],
  [10, 10_000],
  [100, 100],
  [100, 1000],
  [1000, 100],
];
const QUIET_MS = 20_000;
const STEP_MS = 10;
const PATIENCE_MS = 180_000;

interface ScaleRow {
  readonly members: number;
  readonly backends: number;
  readonly storeCallsPerS: number;
  readonly storeBytesPerS: number;
  readonly probesPerBackendPerS: number;
  readonly allReadyMs: number;
  readonly silentOutMs: number;
  readonly spreadMs: number;
  readonly killedGoneMs: number;
  readonly naiveProbesPerBackendPerS: number;
  readonly naiveStoreWritesPerS: number;
}

class Meter {
  calls = 0;
  bytes = 0;

  constructor(tier: SimTier) {
    const { store } = tier;
    const call = store.call.bind(store);
    store.call = async (asked) => {
      const answer = await call(asked);
      this.calls++;
      this.bytes += JSON.stringify(asked).length + JSON.stringify(answer).length;
      return answer;
    };
  }

  reset(): void {
    this.calls = this.bytes = 0;
  }
}

async function measure(members: number, backends: number, seed: number): Promise<ScaleRow> {
  const tier = new SimTier({ seed, members, backends });
  const meter = new Meter(tier);
  const file = `v=0 ports=${tier.ports.join(',')}`;
  for (let i = 0; i < members; i++) await tier.startMember(`m${i}`, file);
  const allReadyMs = await until(tier, 'all are ready', () => tier.running.every(({ link }) => link.state.phase === 'connected' && link.readyCount === members));
  // Whoever became ready last goes on duty a lease later.
  await tier.clock.advance(2 * tier.pace.leaseMs);
  meter.reset();
  tier.probes = 0;
  await tier.clock.advance(QUIET_MS);
  const quietS = QUIET_MS / 1000;
  const { calls, bytes } = meter;
  const { probes } = tier;
  const [port] = tier.ports;
  tier.setTruth(port!, 'silent');
  const startMs = tier.clock.monotonicMs();
  await until(tier, 'the first says so', () => tier.running.some((member) => member.verdict(port!) === 'down'));
  const firstMs = tier.clock.monotonicMs();
  await until(tier, 'all say so', () => tier.running.every((member) => member.verdict(port!) === 'down'));
  const lastMs = tier.clock.monotonicMs();
  const victim = tier.running[1]!;
  victim.kill();
  const killedGoneMs = await until(tier, 'the killed one is gone', () => tier.running.every(({ link }) => !link.members.has(victim.id)));
  return {
    members,
    backends,
    storeCallsPerS: calls / quietS,
    storeBytesPerS: bytes / quietS,
    probesPerBackendPerS: probes / quietS / backends,
    allReadyMs,
    silentOutMs: lastMs - startMs,
    spreadMs: lastMs - firstMs,
    killedGoneMs,
    naiveProbesPerBackendPerS: members,
    naiveStoreWritesPerS: members * backends,
  };
}

/** Virtual milliseconds until it is so. */
async function until(tier: SimTier, what: string, isSo: () => boolean): Promise<number> {
  const startMs = tier.clock.monotonicMs();
  while (!isSo()) {
    if (tier.clock.monotonicMs() - startMs > PATIENCE_MS) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`);
    await tier.clock.advance(STEP_MS);
  }
  return tier.clock.monotonicMs() - startMs;
}

export async function runTierScaleBench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { members: { type: 'string' }, backends: { type: 'string' }, save: { type: 'string' } } });
  const sizes = values.members === undefined ? SIZES : [[Number(values.members), Number(values.backends ?? 100)] as const];
  const rows: ScaleRow[] = [];
  console.log('| members | backends | store calls/s | store bytes/s | probes/s a backend | all ready | silent backend out | first to last | killed one gone | naive: probes/s a backend | naive: store writes/s |');
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |');
  for (const [members, backends] of sizes) {
    const row = await measure(members, backends, 1);
    rows.push(row);
    const { storeCallsPerS, storeBytesPerS, probesPerBackendPerS, allReadyMs, silentOutMs, spreadMs, killedGoneMs, naiveProbesPerBackendPerS, naiveStoreWritesPerS } = row;
    console.log(`| ${members} | ${backends} | ${storeCallsPerS.toFixed(1)} | ${storeBytesPerS.toFixed(0)} | ${probesPerBackendPerS.toFixed(2)} | ${(allReadyMs / 1000).toFixed(1)} s | ${silentOutMs.toFixed(0)} ms | ${spreadMs.toFixed(0)} ms | ${killedGoneMs.toFixed(0)} ms | ${naiveProbesPerBackendPerS} | ${naiveStoreWritesPerS} |`);
  }
  console.log(`\nresult: ${saveResult({ bench: 'tier-scale', machine: describeMachine(false), virtualTime: true, rows }, 'tier-scale', values.save ?? null)}`);
}
