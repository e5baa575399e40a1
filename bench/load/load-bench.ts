/**
 * `npm run bench -- load`: whole proxies side by side. bench/README.md says
 * how it measures and why.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeMachine } from '../machine.ts';
import { pinning, type Started } from '../processes.ts';
import { saveResult } from '../results.ts';
import { checkTarget } from './check-answers.ts';
import { measured, order, startLoad, startOrigin } from './measure.ts';
import { parseLoadFlags, type LoadFlags } from './options.ts';
import { report, type Turn } from './report.ts';
import { findScenario, type Scenario } from './scenarios.ts';
import { targetKinds, type Target } from './targets.ts';

const WARM_UP_MS = 1000;

export async function runLoadBench(args: readonly string[]): Promise<void> {
  const flags = parseLoadFlags(args);
  const dir = mkdtempSync(join(tmpdir(), 'weir-bench-'));
  // nginx started by root drops to another user, who must reach its folder of body files.
  chmodSync(dir, 0o755);
  const running: Started[] = [];
  try {
    const scenarios = flags.scenarios.map(findScenario);
    const origin = await startOrigin(running);
    const targets = await startTargets(flags, origin, dir, running);
    for (const target of targets) await checkTarget(target.name, target.port, origin, scenarios);
    console.log(`answers checked: ${targets.map((t) => t.name).join(', ')}`);
    const load = startLoad(running);
    const machine = describeMachine(pinning);
    const turns: Turn[] = [];
    for (const scenario of scenarios) turns.push(...(await measureScenario(scenario, targets, load, flags)));
    const result = { kind: 'load', machine, versions: Object.fromEntries(targets.map((t) => [t.name, t.version])), flags, turns };
    console.log(report(scenarios, targets.map((t) => t.name), turns, machine));
    console.log(`\nsaved: ${saveResult(result, 'load', flags.save)}`);
  } finally {
    await Promise.all(running.map((started) => started.stop()));
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The first proxy runs twice: what two runs of the same thing differ by is the noise of this machine, today. */
async function startTargets(flags: LoadFlags, originPort: number, dir: string, running: Started[]): Promise<Target[]> {
  const targets: Target[] = [];
  for (const name of flags.proxies) {
    const kind = targetKinds.find((each) => each.name === name);
    if (kind === undefined) throw new Error(`no proxy "${name}"; there are: ${targetKinds.map((each) => each.name).join(', ')}`);
    const missing = kind.missing();
    if (missing !== null) {
      console.log(`left out: ${missing}`);
      continue;
    }
    const names = targets.length === 0 && flags.noise ? [name, `${name} again`] : [name];
    for (const each of names) {
      const target = await kind.start(each, originPort, dir);
      running.push(target.started);
      targets.push(target);
    }
  }
  return targets;
}

async function measureScenario(scenario: Scenario, targets: readonly Target[], load: Started, flags: LoadFlags): Promise<Turn[]> {
  const turns: Turn[] = [];
  for (const target of targets) await order(load, { tool: 'raw', scenario, port: target.port, durationMs: WARM_UP_MS });
  for (let repetition = 0; repetition < flags.rounds; repetition++) {
    for (const target of targets) {
      const raw = await measured(load, target, { tool: 'raw', scenario, port: target.port, durationMs: flags.seconds * 1000 });
      // autocannon counts a connection per request wrongly (`reconnectRate: 1` counts no answer at all), so it is left out there.
      const cannon = flags.autocannon && !scenario.newConnectionEach ? await measured(load, target, { tool: 'autocannon', scenario, port: target.port, durationMs: Math.max(2, flags.seconds) * 1000 }) : null;
      turns.push({ scenario: scenario.name, target: target.name, repetition, raw, autocannon: cannon });
    }
    console.log(`${scenario.name}: round ${repetition + 1} of ${flags.rounds}`);
  }
  return turns;
}
