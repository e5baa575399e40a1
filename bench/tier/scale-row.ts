/**
 * One size of a simulated tier, measured: what it costs the store and the
 * backends while nothing happens, and how soon all know of a silent backend and
 * of a killed member. Each member is whole: link, health, roles and rollout as
 * a proxy has them. Of the largest tier most members hold only those backends
 * that may be theirs to probe (`wholeMembers`): a row for each backend in each
 * member would be ten million.
 */
import { yieldToLoop } from '../../src/base/clock.ts';
import { checkKey, digestOf } from '../../src/control-plane/health/check-identity.ts';
import { ProbeDuty } from '../../src/control-plane/membership/probe-duty.ts';
import { addressOf } from '../../test/simulation/sim-member.ts';
import { SimTier } from '../../test/simulation/sim-tier.ts';

export interface ScaleSize {
  readonly members: number;
  readonly backends: number;
  /** So many hold all backends; null: all do. */
  readonly wholeMembers: number | null;
}

export interface ScaleRow extends ScaleSize {
  readonly storeCallsPerS: number;
  readonly storeBytesPerS: number;
  readonly probesPerBackendPerS: number;
  readonly allReadyMs: number;
  readonly silentOutMs: number;
  readonly spreadMs: number;
  readonly killedGoneMs: number;
  readonly naiveProbesPerBackendPerS: number;
  readonly naiveStoreWritesPerS: number;
  /** What the simulation of it took. */
  readonly cpuS: number;
  readonly memoryMiB: number;
}

const QUIET_MS = 20_000;
/** Of many members, or of many backends, less is as good a sample. */
const QUIET_MS_MIN = 5000;
const QUIET_CALLS = 20_000;
const QUIET_PROBES = 200_000;
const STEP_MS = 10;
const TURNS_PER_STEP = 8;
const PATIENCE_MS = 180_000;
/** Of so many calls one is counted in bytes: to write them as JSON would be the most of a large tier's cost. */
const METERED_ONE_IN = 17;
/** A member that does not hold all holds what it would probe if any three of those before it were gone. */
const HELD_PLACES = 6;

class Meter {
  calls = 0;
  #metered = 0;
  #bytes = 0;

  constructor({ store }: SimTier) {
    const call = store.call.bind(store);
    store.call = async (asked) => {
      const answer = await call(asked);
      if (this.calls++ % METERED_ONE_IN !== 0) return answer;
      this.#metered++;
      this.#bytes += JSON.stringify(asked).length + JSON.stringify(answer).length;
      return answer;
    };
  }

  get bytes(): number {
    return (this.#bytes / this.#metered) * this.calls;
  }

  reset(): void {
    this.calls = this.#metered = this.#bytes = 0;
  }
}

export async function measureSize(size: ScaleSize, seed: number): Promise<ScaleRow> {
  const { members, backends, wholeMembers } = size;
  const startCpu = process.cpuUsage();
  const held = wholeMembers === null ? null : new HeldBackends(size, wholeMembers);
  const tier = new SimTier({ seed, members, backends, isWatched: false, holdsOf: (id) => held?.of(id) ?? null });
  held?.plan(tier);
  const meter = new Meter(tier);
  if (wholeMembers !== null) await start(tier, 0, wholeMembers);
  const allReadyMs = await start(tier, wholeMembers ?? 0, members);
  const quietMs = Math.max(QUIET_MS_MIN, Math.min(QUIET_MS, (1000 * QUIET_CALLS) / members, (1000 * QUIET_PROBES) / (3 * backends)));
  meter.reset();
  tier.probes = 0;
  await advance(tier, quietMs);
  const quietS = quietMs / 1000;
  const { calls, bytes } = meter;
  const { probes } = tier;
  const memoryMiB = process.memoryUsage().rss / 2 ** 20;
  const silent = await fallSilent(tier);
  const killedGoneMs = await kill(tier);
  const { user, system } = process.cpuUsage(startCpu);
  return {
    ...size,
    storeCallsPerS: calls / quietS,
    storeBytesPerS: bytes / quietS,
    probesPerBackendPerS: probes / quietS / (backends + tier.rolePorts),
    allReadyMs,
    ...silent,
    killedGoneMs,
    naiveProbesPerBackendPerS: members,
    naiveStoreWritesPerS: members * backends,
    cpuS: (user + system) / 1e6,
    memoryMiB,
  };
}

/** Starts members `from` to `to`; virtual milliseconds until all that there are have seen all ready. Whoever became so last is on duty when this ends. */
async function start(tier: SimTier, from: number, to: number): Promise<number> {
  const file = `v=0 ports=${tier.ports.join(',')}`;
  for (let i = from; i < to; i++) await tier.startMember(`m${i}`, file);
  const tookMs = await until(tier, 'all are ready', () => tier.running.every(({ link }) => link.state.phase === 'connected' && link.readyCount === to));
  await advance(tier, 2 * tier.pace.leaseMs);
  return tookMs;
}

/** The first backend, which every member holds. */
async function fallSilent(tier: SimTier): Promise<{ silentOutMs: number; spreadMs: number }> {
  const [port] = tier.ports;
  tier.setTruth(port!, 'silent');
  const startMs = tier.clock.monotonicMs();
  await until(tier, 'the first says so', () => tier.running.some((member) => member.verdict(port!) === 'down'));
  const firstMs = tier.clock.monotonicMs();
  await until(tier, 'all say so', () => tier.running.every((member) => member.verdict(port!) === 'down'));
  const lastMs = tier.clock.monotonicMs();
  return { silentOutMs: lastMs - startMs, spreadMs: lastMs - firstMs };
}

async function kill(tier: SimTier): Promise<number> {
  const victim = tier.running.find(({ link }) => !link.leads)!;
  victim.kill();
  return await until(tier, 'the killed one is gone', () => tier.running.every(({ link }) => !link.members.has(victim.id)));
}

/** Virtual milliseconds until it is so. */
async function until(tier: SimTier, what: string, isSo: () => boolean): Promise<number> {
  const startMs = tier.clock.monotonicMs();
  while (!isSo()) {
    if (tier.clock.monotonicMs() - startMs > PATIENCE_MS) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`);
    await advance(tier, STEP_MS);
  }
  return tier.clock.monotonicMs() - startMs;
}

/** What a proxy does in slices waits for turns of the loop, of which virtual time knows nothing. */
async function advance(tier: SimTier, byMs: number): Promise<void> {
  const untilMs = tier.clock.monotonicMs() + byMs;
  while (tier.clock.monotonicMs() < untilMs) {
    await tier.clock.advance(Math.min(STEP_MS, untilMs - tier.clock.monotonicMs()));
    for (let turn = 0; turn < TURNS_PER_STEP; turn++) await yieldToLoop();
  }
}

/** Which backends a member holds that does not hold all: the first, and those whose check is its own to probe, or nearly. */
class HeldBackends {
  readonly #size: ScaleSize;
  readonly #wholeMembers: number;
  readonly #byMember = new Map<string, Set<number>>();

  constructor(size: ScaleSize, wholeMembers: number) {
    this.#size = size;
    this.#wholeMembers = wholeMembers;
  }

  plan(tier: SimTier): void {
    const ids = Array.from({ length: this.#size.members }, (_, i) => `m${i}`);
    const [first] = tier.ports;
    for (const id of ids.slice(this.#wholeMembers)) this.#byMember.set(id, new Set([first!]));
    const duty = new ProbeDuty('');
    duty.setCandidates(ids.map((id) => ({ id, zone: tier.zoneOf(id) })), HELD_PLACES);
    const digest = digestOf(tier.health);
    for (const port of tier.ports) {
      const check = checkKey(addressOf(port), digest);
      duty.add(check);
      for (const id of duty.probersOf(check)) this.#byMember.get(id)?.add(port);
    }
  }

  of(id: string): ReadonlySet<number> | null {
    return this.#byMember.get(id) ?? null;
  }
}
