/**
 * What was measured, as tables. A ratio is taken within one repetition, where
 * both proxies met the same machine; its median stands with the lowest and the
 * highest. A row with errors is marked and gives no ratio.
 */
import type { Machine } from '../machine.ts';
import { figure, spread, table } from '../statistics.ts';
import type { Measured } from './measure.ts';
import type { Scenario } from './scenarios.ts';

/** One proxy's turn in one repetition. */
export interface Turn {
  readonly scenario: string;
  readonly target: string;
  readonly repetition: number;
  readonly raw: Measured;
  readonly autocannon: Measured | null;
}

/** Two runs of the same proxy further apart than this say that the machine was not quiet enough. */
const NOISE_MAX = 0.03;

export function report(scenarios: readonly Scenario[], targets: readonly string[], turns: readonly Turn[], machine: Machine): string {
  const head = [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, ${machine.runtime}`,
    machine.pinned ? 'proxies pinned to core 0, load and backend to core 1' : 'NOT pinned: proxies, load and backend share the cores',
    `load average at the start ${machine.loadAtStart.toFixed(2)}`,
  ];
  const parts = scenarios.map((scenario) => scenarioReport(scenario, targets, turns.filter((turn) => turn.scenario === scenario.name)));
  return ['', ...head, ...parts].join('\n');
}

function scenarioReport(scenario: Scenario, targets: readonly string[], turns: readonly Turn[]): string {
  const [first] = targets;
  const of = (target: string): readonly Turn[] => turns.filter((turn) => turn.target === target);
  const rows = targets.map((target) => row(target, of(target), of(first ?? '')));
  const title = `\n${scenario.name}: ${scenario.summary} (${scenario.connections} connections)`;
  const heading = ['', 'CPU µs/request', `${first} ÷ it (min–max)`, 'requests/s', 'busy', 'autocannon/s', 'p50 ms', 'p99 ms', 'errors'];
  return [title, table([heading, ...rows]), noiseNote(targets, of)].filter((line) => line !== '').join('\n');
}

function row(target: string, turns: readonly Turn[], firstTurns: readonly Turn[]): string[] {
  const median = (pick: (turn: Turn) => number): number => spread(turns.map(pick)).median;
  const errors = turns.reduce((sum, turn) => sum + turn.raw.errors + (turn.autocannon?.errors ?? 0), 0);
  const ratio = spread(ratios(turns, firstTurns));
  const cannon = (pick: (measured: Measured) => number): string => figure(median((turn) => (turn.autocannon === null ? Number.NaN : pick(turn.autocannon))));
  return [
    target,
    figure(median((turn) => turn.raw.cpuUsPerRequest)),
    errors > 0 ? 'rejected' : `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)})`,
    figure(median((turn) => turn.raw.requestsPerSecond)),
    `${Math.round(median((turn) => turn.raw.proxyBusy) * 100)} %`,
    cannon((measured) => measured.requestsPerSecond),
    figure(median((turn) => (turn.autocannon ?? turn.raw).latencyMs.p50)),
    figure(median((turn) => (turn.autocannon ?? turn.raw).latencyMs.p99)),
    String(errors),
  ];
}

/** CPU per request of the first proxy divided by this one's, repetition by repetition: below 1, the first is the cheaper. */
export function ratios(turns: readonly Turn[], firstTurns: readonly Turn[]): number[] {
  return turns.flatMap((turn) => {
    const first = firstTurns.find((each) => each.repetition === turn.repetition);
    return first === undefined ? [] : [first.raw.cpuUsPerRequest / turn.raw.cpuUsPerRequest];
  });
}

function noiseNote(targets: readonly string[], of: (target: string) => readonly Turn[]): string {
  const [first, second] = targets;
  if (first === undefined || second !== `${first} again`) return '';
  const off = Math.abs(spread(ratios(of(second), of(first))).median - 1);
  return off > NOISE_MAX
    ? `NOISY: two runs of ${first} differ by ${(off * 100).toFixed(1)} %, more than ${NOISE_MAX * 100} %: do not rely on this table`
    : `noise: two runs of ${first} differ by ${(off * 100).toFixed(1)} %`;
}
