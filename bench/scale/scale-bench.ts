/**
 * `npm run bench -- scale`: what 10,000 backends and 10,000 routes cost the
 * whole process above an empty config, and how long any loop stands still for
 * them. See bench/README.md.
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { largeConfig } from '../../test/support/large-config.ts';
import { describeMachine } from '../machine.ts';
import { saveResult } from '../results.ts';
import { spread, table } from '../statistics.ts';
import { MeasuredProxy, type Cost } from './measured-proxy.ts';

const HEAD = 'admin: { bind: "127.0.0.1:0" }\ndrain: { delay: 0, timeout: 5s }';
const BACKENDS = 10_000;
const ROUTES = 10_000;

const shapes: Readonly<Record<string, { pools: number; hosts: number }>> = {
  'one pool, a host each': { pools: 1, hosts: ROUTES },
  '100 pools, a host each': { pools: 100, hosts: ROUTES },
  'one pool, one host': { pools: 1, hosts: 1 },
  '100 pools, one host': { pools: 100, hosts: 1 },
};

/** `round` makes the text of each reload another, in its first line. */
type ConfigOf = (round: number) => string;

const emptyConfig: ConfigOf = (round) => `# ${round}\n${HEAD}\nlisteners: { web: { bind: "127.0.0.1:0", routes: [] } }\npools: {}\n`;

/** One step, with what it cost each time. */
type Costs = Map<string, Cost[]>;

const RELOADS = 3;
const READS = 3;

/** From the start of a process to its end. */
async function measure(config: ConfigOf, costs: Costs): Promise<number> {
  const note = (step: string, cost: Cost): void => void (costs.get(step) ?? costs.set(step, []).get(step)!).push(cost);
  const folder = await mkdtemp(join(tmpdir(), 'weir-scale-'));
  await using proxy = await MeasuredProxy.start(config(0), folder);
  note('start', proxy.start);
  for (let round = 1; round <= RELOADS; round++) note(round === 1 ? 'first reload' : 'reload', await proxy.reload(config(round), 'config runs'));
  note('refused reload', await proxy.reload(config(0).replace('web:', 'web: { nonsense: 1 }\n  other:').replace('# 0', '# refused'), 'config refused, the former one goes on'));
  for (const [step, path] of [['scrape', '/metrics'], ['status', '/api/v1/status']] as const) {
    for (let round = 0; round < READS; round++) note(round === 0 ? `first ${step}` : step, await proxy.get(path));
  }
  // Awaited here: behind a bare return the process would be gone first.
  return await proxy.rssMiB();
}

interface Figures {
  readonly step: string;
  /** Medians above the empty config's: of the process, and of its threads, the workers summed. The rest is the compiler's and collector's. */
  readonly cpuMs: number;
  readonly mainCpuMs: number;
  readonly workersCpuMs: number;
  readonly loaderCpuMs: number;
  /** The empty config's own. */
  readonly emptyCpuMs: number;
  readonly mainBusyMs: number;
  readonly mainStillMs: number;
  readonly workerBusyMs: number;
  readonly workerStillMs: number;
}

function figuresOf(large: Costs, empty: Costs): Figures[] {
  return [...large].map(([step, costs]) => {
    const emptyCosts = empty.get(step) ?? [];
    const median = (of: (cost: Cost) => number, among: readonly Cost[]): number => spread(among.map(of)).median;
    const above = (of: (cost: Cost) => number): number => median(of, costs) - median(of, emptyCosts);
    const threads = (name: string) => (cost: Cost): number => cost.threads.filter(({ thread }) => thread.startsWith(name)).reduce((sum, { cpuMs }) => sum + cpuMs, 0);
    const longest = (of: 'main' | 'worker', what: 'busyMs' | 'stillMs'): number =>
      spread(costs.map(({ threads }) => Math.max(...threads.filter(({ thread }) => thread.startsWith(of)).map((report) => report[what])))).median;
    return {
      step,
      cpuMs: above(({ cpuMs }) => cpuMs),
      mainCpuMs: above(threads('main')),
      workersCpuMs: above(threads('worker')),
      loaderCpuMs: above(threads('loader')),
      emptyCpuMs: median(({ cpuMs }) => cpuMs, emptyCosts),
      mainBusyMs: longest('main', 'busyMs'),
      mainStillMs: longest('main', 'stillMs'),
      workerBusyMs: longest('worker', 'busyMs'),
      workerStillMs: longest('worker', 'stillMs'),
    };
  });
}

function printed(figures: readonly Figures[]): string {
  const head = ['ms', 'CPU above empty', 'main', 'workers', 'loader', '(empty)', 'main: busy', 'still', 'worker: busy', 'still'];
  const whole = (value: number): string => String(Math.round(value));
  const rows = figures.map((each) => [each.step, whole(each.cpuMs), whole(each.mainCpuMs), whole(each.workersCpuMs), whole(each.loaderCpuMs), whole(each.emptyCpuMs), whole(each.mainBusyMs), whole(each.mainStillMs), whole(each.workerBusyMs), whole(each.workerStillMs)]);
  return table([head, ...rows]);
}

export async function runScaleBench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { shapes: { type: 'string', default: 'all' }, rounds: { type: 'string', default: '3' }, save: { type: 'string' } } });
  const names = values.shapes === 'all' ? Object.keys(shapes) : values.shapes.split(';');
  for (const name of names) if (shapes[name] === undefined) throw new Error(`no shape "${name}"; there are: ${Object.keys(shapes).join('; ')}`);
  const machine = describeMachine(false);
  console.log(`${BACKENDS} backends, ${ROUTES} routes, 2 workers; ${machine.runtime}, ${machine.cores} × ${machine.cpu}, load ${machine.loadAtStart.toFixed(1)}`);
  const empty: Costs = new Map();
  const large = new Map<string, Costs>(names.map((name) => [name, new Map()]));
  const rss = new Map<string, number[]>();
  for (let round = 0; round < Number(values.rounds); round++) {
    rss.set('empty', [...(rss.get('empty') ?? []), await measure(emptyConfig, empty)]);
    for (const name of names) {
      const text = largeConfig({ backends: BACKENDS, routes: ROUTES, ...shapes[name]!, head: HEAD });
      rss.set(name, [...(rss.get(name) ?? []), await measure((nth) => `# ${nth}\n${text}`, large.get(name)!)]);
    }
  }
  const results = names.map((name) => ({ name, rssMiB: spread(rss.get(name)!).median, steps: figuresOf(large.get(name)!, empty) }));
  for (const { name, rssMiB, steps } of results) console.log(`\n${name} (${Math.round(rssMiB)} MiB; empty ${Math.round(spread(rss.get('empty')!).median)})\n${printed(steps)}`);
  console.log(`\nresult: ${saveResult({ bench: 'scale', machine, backends: BACKENDS, routes: ROUTES, results }, 'scale', values.save ?? null)}`);
}
