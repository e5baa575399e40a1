/**
 * One simulated life of a tier: it comes up, things go wrong, all is healed,
 * and everyone must agree; then the bounds of detection are measured on it.
 */
import { befall } from './faults.ts';
import { SimTier, type SimOptions, type Violation } from './sim-tier.ts';

export interface LifeOptions extends SimOptions {
  /** How long things go wrong. */
  readonly stormMs: number;
}

export interface Life {
  readonly violations: readonly Violation[];
  readonly story: readonly string[];
  readonly fingerprint: string;
  readonly virtualMs: number;
  readonly probes: number;
  /** See SimPrimaries. */
  readonly overlapMs: number;
}

/** Two leases until an empty store takes a file, a dry run of it, and first verdicts. */
const RISE_MS = 14_000;
/**
 * From the last fault on. A member out for long joins anew, is settling for a lease and then takes the tier's view; a
 * rollout begun on the way may wait for the members that were there (10 s), and a member that could not apply tries
 * again after half a minute at most.
 */
const CALM_MS = 36_000;
/** A join, a hand-over of a lease, and reading all again. */
const ADOPT_MS = 12_000;
const STEP_MS = 5;

export async function simulate(options: LifeOptions): Promise<Life> {
  const tier = new SimTier(options);
  for (let i = 0; i < options.members; i++) await tier.startMember(`m${i}`, `v=0 ports=${tier.ports.join(',')}`);
  await tier.clock.advance(RISE_MS);
  await tier.checkAgreement();
  await storm(tier, options.stormMs);
  tier.heal();
  for (const port of tier.ports) if (tier.truth.get(port) !== 'accept') tier.setTruth(port, 'accept');
  await tier.clock.advance(CALM_MS);
  await tier.checkAgreement();
  if (tier.histories.apart().length > 0) await joinAgain(tier);
  if (tier.violations.length === 0) await measureBounds(tier);
  return { violations: tier.violations, story: tier.story, fingerprint: tier.fingerprint, virtualMs: tier.clock.monotonicMs(), probes: tier.probes, overlapMs: tier.primaries.longestMs };
}

/** Those who stayed apart are one tier with the others once an operator has said so. */
async function joinAgain(tier: SimTier): Promise<void> {
  await tier.histories.adopt();
  await tier.clock.advance(ADOPT_MS);
  for (const { id } of tier.histories.apart()) tier.violate(`${id} stays apart though it adopts`);
  await tier.checkAgreement();
}

async function storm(tier: SimTier, stormMs: number): Promise<void> {
  const untilMs = tier.clock.monotonicMs() + stormMs;
  while (tier.clock.monotonicMs() < untilMs) {
    befall(tier);
    await tier.clock.advance(200 + tier.random.next() * 3000);
  }
  // Whoever was killed is back, whatever was cut is joined again.
  await tier.clock.advance(15_000);
}

/** A silent backend is out everywhere, a refusing one under traffic too, and a killed member is gone, each in its time. */
async function measureBounds(tier: SimTier): Promise<void> {
  const { heartbeatMs, leaseMs, probers } = tier.pace;
  const ready = tier.running.filter(({ rollout }) => rollout.failure === null);
  const k = Math.min(probers, ready.length);
  const q = Math.floor(k / 2) + 1;
  const [port] = ready[0]!.ports;
  tier.setTruth(port!, 'silent');
  // i × q/k + (fall − 1) f + t + 0.1 s
  await within(tier, 1000 * (q / k) + 2 * 500 + 500 + 100, `${port} is out everywhere after it fell silent`, () => tier.running.every((member) => member.verdict(port!) === 'down'));
  tier.setTruth(port!, 'accept');
  await within(tier, 10_000, `${port} is back everywhere`, () => tier.running.every((member) => member.verdict(port!) === 'up'));
  if (tier.running.length < 2) return;
  const victim = tier.running[tier.random.below(tier.running.length)]!;
  victim.kill();
  tier.tell(`${victim.id} is killed`);
  await within(tier, leaseMs + 1.1 * heartbeatMs + 50, `${victim.id} is gone from every view`, () => tier.running.every(({ link }) => !link.members.has(victim.id)));
}

async function within(tier: SimTier, mostMs: number, what: string, isDone: () => boolean): Promise<void> {
  const startMs = tier.clock.monotonicMs();
  while (!isDone()) {
    const tookMs = tier.clock.monotonicMs() - startMs;
    if (tookMs > mostMs) return tier.violate(`not within ${mostMs.toFixed(0)} ms: ${what}`);
    await tier.clock.advance(STEP_MS);
  }
}
