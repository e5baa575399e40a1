/**
 * What goes wrong in a simulated tier: each fault begins at a time and for a
 * while that the seed chose, alone or on top of others, and says so.
 */
import type { SimTier, Meeting } from './sim-tier.ts';

type Fault = (tier: SimTier) => void;

const pick = <T>(tier: SimTier, among: readonly T[]): T | undefined => among[tier.random.below(Math.max(1, among.length))];

/** For up to `mostMs`; what is undone twice is undone once. */
function forAWhile(tier: SimTier, mostMs: number, undo: () => void): void {
  tier.clock.after(100 + tier.random.next() * mostMs, undo);
}

const faults: Readonly<Record<string, Fault>> = {
  backendFails(tier) {
    const port = pick(tier, tier.ports)!;
    tier.setTruth(port, pick<Meeting>(tier, ['silent', 'ECONNREFUSED'])!);
    forAWhile(tier, 15_000, () => tier.setTruth(port, 'accept'));
  },
  primaryMoves(tier) {
    tier.primaries.move();
  },
  primaryDisputed(tier) {
    tier.primaries.dispute(100 + tier.random.next() * 10_000);
  },
  /** Some members are cut off from the store, together with the former primary. */
  primarySplit(tier) {
    const cut = tier.running.filter(() => tier.random.below(3) === 0);
    for (const { wire } of cut) wire.isCut = true;
    tier.primaries.split(cut);
    tier.tell(`${cut.map(({ id }) => id).join(' ')} are cut off with the former primary`);
    forAWhile(tier, 12_000, () => {
      tier.primaries.joinAgain();
      for (const member of cut) member.wire.isCut = member.hasEnded;
      tier.tell(`${cut.map(({ id }) => id).join(' ')} are back`);
    });
  },
  weather(tier) {
    tier.setWeather({ delayMs: pick(tier, [1, 30, 300])!, lostShare: pick(tier, [0, 0.05, 0.3])!, doubledShare: pick(tier, [0, 0.2])!, hintsLostShare: pick(tier, [0, 0.5, 1])! });
    tier.tell('the weather changes');
  },
  storeAway(tier) {
    tier.mood.refuses = pick(tier, ['refused', 'OOM', 'READONLY'])!;
    tier.tell(`the store is away: ${tier.mood.refuses}`);
    forAWhile(tier, 10_000, () => {
      tier.mood.refuses = null;
      tier.tell('the store answers');
    });
  },
  storePaused(tier) {
    tier.mood.pause();
    tier.tell('the store stands still');
    forAWhile(tier, 8000, () => {
      tier.mood.resume();
      tier.tell('the store goes on');
    });
  },
  /** A failover to a replica that is behind. */
  writesLost(tier) {
    const behind = tier.store.snapshot();
    tier.clock.after(tier.random.next() * 2000, () => {
      tier.store.restoreSnapshot(behind);
      tier.tell('a failover loses the last writes');
    });
  },
  flushed(tier) {
    tier.store.flush();
    tier.tell('the store is flushed');
    if (tier.random.below(2) === 0) startNewcomer(tier);
  },
  clockSet(tier) {
    tier.histories.clockSet();
    tier.store.timeOffsetMs += (tier.random.next() - 0.5) * pick(tier, [1000, 20_000, 7_200_000])!;
    tier.tell("the store's clock is set");
  },
  memberCut(tier) {
    const member = pick(tier, tier.running);
    if (member === undefined) return;
    member.wire.isCut = true;
    tier.tell(`${member.id} is cut off from the store`);
    forAWhile(tier, 10_000, () => {
      member.wire.isCut = member.hasEnded;
      tier.tell(`${member.id} has its way to the store back`);
    });
  },
  memberCutFromBackends(tier) {
    const member = pick(tier, tier.running);
    if (member === undefined) return;
    member.isCutFromBackends = true;
    tier.tell(`${member.id} is cut off from the backends`);
    forAWhile(tier, 8000, () => {
      member.isCutFromBackends = false;
      tier.tell(`${member.id} reaches the backends again`);
    });
  },
  memberPaused(tier) {
    const member = pick(tier, tier.running);
    if (member === undefined) return;
    member.clock.pause();
    tier.tell(`${member.id} is paused`);
    forAWhile(tier, 12_000, () => {
      tier.tell(`${member.id} goes on`);
      member.clock.resume();
    });
  },
  memberKilled(tier) {
    const member = pick(tier, tier.running);
    if (member === undefined) return;
    member.kill();
    tier.tell(`${member.id} is killed`);
    forAWhile(tier, 8000, () => {
      tier.tell(`${member.id} starts again`);
      void tier.startMember(member.id);
    });
  },
  publish(tier) {
    const member = pick(tier, tier.running);
    if (member === undefined) return;
    const victim = pick(tier, tier.running)!.id;
    const extra = pick(tier, ['', '', '', `refuse=${victim}`, `fail=${victim}`])!;
    const canary = tier.random.below(3) === 0 ? { share: 0.3, forMs: 2000 } : null;
    const text = tier.configText(extra);
    tier.tell(`${member.id} publishes "${text}"${canary === null ? '' : ' to a canary'}`);
    void member.rollout.publisher.publish({ bytes: Buffer.from(text), parent: null, canary, by: member.id }).then((outcome) => tier.tell(`${member.id}: the publish of "${text}" ended ${outcome.kind}`));
  },
  operatorDrains(tier) {
    const member = pick(tier, tier.running.filter(({ ports }) => ports.length > 0));
    if (member === undefined) return;
    const port = pick(tier, member.ports)!;
    const state = pick(tier, ['drain', 'ready'] as const)!;
    tier.tell(`an operator of ${member.id} sets ${port} to ${state}`);
    member.setOperatorState(port, state);
  },
};

/** Its file is one that the tier does not run. */
function startNewcomer(tier: SimTier): void {
  const id = `m${tier.members.size}`;
  if (tier.members.size > 8) return;
  tier.tell(`${id} starts, new and with a file of its own`);
  void tier.startMember(id);
}

export const faultNames = Object.keys(faults);

export function befall(tier: SimTier, name = faultNames[tier.random.below(faultNames.length)]!): void {
  faults[name]!(tier);
}
