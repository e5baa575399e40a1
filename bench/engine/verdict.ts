/**
 * From turns to a verdict, without a process or a clock. A ratio is taken
 * within one repetition, where all met the same machine; its median counts.
 * Weir runs as two processes: its cost is the mean of both, and what they
 * differ by is the noise.
 */
import { spread, type Spread } from '../statistics.ts';
import type { Contender, Row } from './rows.ts';

/** One contender's turn in one repetition. */
export interface Turn {
  readonly contender: string;
  readonly repetition: number;
  /** In the row's unit. */
  readonly cost: number;
  /** Share of one core that the proxy used; 0 where none is measured. */
  readonly busy: number;
  /** Share of the proxy's core that something else used. */
  readonly others: number;
  readonly requestsPerSecond: number;
  readonly errors: number;
}

export interface RowResult {
  readonly row: string;
  readonly work: string;
  readonly unit: string;
  readonly judgement: string;
  /** Median by contender, those of both Weirs in one. */
  readonly costs: Readonly<Record<string, number>>;
  /** The peer that Weir is held against, or what else the figure means. */
  readonly against: string;
  /** What is limited: a ratio, or a cost. */
  readonly figure: Spread;
  readonly atMost: number;
  readonly verdict: 'pass' | 'fail' | 'rejected' | 'nothing to compare';
  /** How far two Weirs were apart, as a share; null: there was one only. */
  readonly noise: number | null;
  readonly noisy: boolean;
  readonly busy: Spread;
  /** Repetitions that do not count, because something else was at work. */
  readonly setAside: number;
  /** Of the repetitions that count. Above OTHERS_MAX the row is marked too. */
  readonly others: Spread;
  readonly errors: number;
  /** All of them, also of the repetitions set aside. */
  readonly turns: readonly Turn[];
}

/** Two runs of the same proxy further apart than this say that the machine was not quiet enough. */
export const NOISE_MAX = 0.03;
/** More than this of the proxies' core used by others: the caches are theirs as well. */
export const OTHERS_MAX = 0.1;
/** With fewer quiet repetitions than this, the disturbed ones count too. */
const QUIET_MIN = 3;
/** So many times the repetitions asked for, if something else was at work. */
const REPETITIONS_FACTOR = 1.5;
export const AGAIN = ' again';

/** The cost of each repetition; several turns of one are averaged. */
function costsByRepetition(turns: readonly Turn[]): Map<number, number> {
  const costs = new Map<number, number[]>();
  for (const { repetition, cost } of turns) costs.set(repetition, [...(costs.get(repetition) ?? []), cost]);
  return new Map([...costs].map(([repetition, each]) => [repetition, each.reduce((sum, cost) => sum + cost, 0) / each.length]));
}

/** `above` by `below`, repetition by repetition. */
function quotients(above: ReadonlyMap<number, number>, below: ReadonlyMap<number, number>): Map<number, number> {
  return new Map([...above].flatMap(([repetition, cost]) => (below.has(repetition) ? [[repetition, cost / below.get(repetition)!] as const] : [])));
}

interface Figures {
  readonly against: string;
  readonly figures: ReadonlyMap<number, number>;
}

type CostsOf = (match: (contender: Contender) => boolean) => Map<number, number>;

/** The peer, in the setting, whose median is the lowest; null: none was there. */
function betterPeer(contenders: readonly Contender[], costsOf: CostsOf): string | null {
  const peers = contenders.filter(({ of }) => of !== 'weir').map(({ name }) => ({ name, median: median(costsOf((each) => each.name === name)) }));
  return peers.filter(({ median }) => Number.isFinite(median)).sort((a, b) => a.median - b.median)[0]?.name ?? null;
}

function median(costs: ReadonlyMap<number, number>): number {
  return spread([...costs.values()]).median;
}

function figuresOf(row: Row, costsOf: CostsOf): Figures {
  const growth = (of: Contender['of']): Map<number, number> => quotients(costsOf((each) => each.of === of && each.end === 'large'), costsOf((each) => each.of === of && each.end === 'small'));
  const weir = costsOf(({ of }) => of === 'weir');
  switch (row.judgement) {
    case 'against-better-peer': {
      const better = betterPeer(row.contenders, costsOf);
      return better === null ? { against: '', figures: new Map() } : { against: better, figures: quotients(weir, costsOf(({ name }) => name === better)) };
    }
    case 'growth':
      return { against: 'its own growth', figures: growth('weir') };
    case 'growth-against-haproxy':
      return { against: 'growth of haproxy', figures: quotients(growth('weir'), growth('haproxy')) };
    case 'alone':
      return { against: 'its own figure', figures: weir };
  }
}

/** The widest median difference of a Weir and its second process. */
function noiseOf(turns: readonly Turn[]): number | null {
  const of = (name: string): Map<number, number> => costsByRepetition(turns.filter(({ contender }) => contender === name));
  const pairs = [...new Set(turns.map(({ contender }) => contender))].filter((name) => name.endsWith(AGAIN)).map((name) => [name.slice(0, -AGAIN.length), name] as const);
  if (pairs.length === 0) return null;
  return Math.max(...pairs.map(([first, second]) => Math.abs(median(quotients(of(second), of(first))) - 1)));
}

/** Turns of the repetitions in which nothing else was at work, and how many those are. */
export function quietOf(turns: readonly Turn[]): { readonly kept: readonly Turn[]; readonly repetitions: number } {
  const disturbed = new Set(turns.filter(({ others }) => others > OTHERS_MAX).map(({ repetition }) => repetition));
  const kept = turns.filter(({ repetition }) => !disturbed.has(repetition));
  return { kept, repetitions: repetitionsOf(kept) };
}

/** A disturbed repetition is made up for, but not on a machine on which most are. */
export function goesOn(done: number, quiet: number, rounds: number): boolean {
  if (done < rounds) return true;
  return quiet < rounds && quiet >= rounds / 2 && done < rounds * REPETITIONS_FACTOR;
}

function repetitionsOf(turns: readonly Turn[]): number {
  return new Set(turns.map(({ repetition }) => repetition)).size;
}

/** `all` are the turns of all repetitions; those that were disturbed are left out unless too few would stay. */
export function judge(row: Row, all: readonly Turn[]): RowResult {
  const quiet = quietOf(all);
  const turns = quiet.repetitions >= Math.min(QUIET_MIN, repetitionsOf(all)) ? quiet.kept : all;
  const plainName = (name: string): string => (name.endsWith(AGAIN) ? name.slice(0, -AGAIN.length) : name);
  const byName = new Map(row.contenders.map((contender) => [contender.name, contender]));
  const costsOf: CostsOf = (match) => costsByRepetition(turns.filter(({ contender }) => match(byName.get(plainName(contender))!)));
  const { against, figures } = figuresOf(row, costsOf);
  const figure = spread([...figures.values()]);
  const errors = all.reduce((sum, turn) => sum + turn.errors, 0);
  const noise = noiseOf(turns);
  const others = spread(turns.map((turn) => turn.others));
  const met = figures.size === 0 || !Number.isFinite(figure.median) ? 'nothing to compare' : figure.median <= row.atMost ? 'pass' : 'fail';
  return {
    row: row.name,
    work: row.work,
    unit: row.unit,
    judgement: row.judgement,
    costs: Object.fromEntries(row.contenders.map(({ name }) => [name, median(costsOf((each) => each.name === name))])),
    against,
    figure,
    atMost: row.atMost,
    verdict: errors > 0 ? 'rejected' : met,
    noise,
    noisy: (noise !== null && noise > NOISE_MAX) || others.max > OTHERS_MAX,
    setAside: repetitionsOf(all) - repetitionsOf(turns),
    busy: spread(turns.map(({ busy }) => busy)),
    others,
    errors,
    turns: all,
  };
}
