/**
 * `npm run bench -- soak --minutes 30`: a real proxy with two workers under
 * mixed load, aborts, reloads and dying origins for a long time, and whether
 * it is afterwards as it was after the warm-up. See bench/README.md.
 */
import { Agent } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../src/base/random.ts';
import { startProbed, type ProbedProxy } from '../../test/support/probed-memory.ts';
import { describeMachine } from '../machine.ts';
import { saveResult } from '../results.ts';
import { OriginProcess } from './origin-process.ts';
import { soakConfig } from './soak-config.ts';
import { ownFailures, takeSample, type SoakSample } from './soak-sample.ts';
import { verdictOf } from './soak-verdict.ts';
import { visitAtRandom, VisitTally, type Visit } from './visits.ts';

const VISITORS = 24;
const VISIT_PAUSE_MS = 200;
const RELOAD_EVERY_MS = 5000;
const RESTART_EVERY_MS = 20_000;
const AWAY_MS = 1000;
const SAMPLE_EVERY_MS = 30_000;
/** A slow reader of a large answer takes a few seconds. */
const VISIT_MS_MAX = 120_000;
/** Longer than every timeout of the config, and than the time after which a removed backend is cut off. */
const SETTLE_MS = 12_000;
/**
 * By itself glibc gives threads arenas of their own, and takes larger and
 * larger blocks from them: what they keep free grows for a long time, and hides
 * a leak of some MiB (bench/README.md). With these RSS follows what is in use.
 */
const FIXED_ALLOCATOR = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '131072' };

class Soak {
  readonly tally = new VisitTally();
  reloads = 0;
  restarts = 0;
  readonly #proxy: ProbedProxy;
  readonly #origins: readonly OriginProcess[];
  readonly #seed: number;
  #turn = 0;
  /** A part failed: the others must not go on without it. */
  #isBroken = false;

  constructor(proxy: ProbedProxy, origins: readonly OriginProcess[], seed: number) {
    this.#proxy = proxy;
    this.#origins = origins;
    this.#seed = seed;
  }

  /** Everything at once, until `endMs`; nothing of it runs on behind that. */
  async run(endMs: number): Promise<void> {
    const visiting = Array.from({ length: VISITORS }, (_, i) => this.#visit(this.#seed * 1000 + i, endMs));
    try {
      await Promise.all([...visiting, this.#reload(endMs), this.#restart(endMs)]);
    } catch (error) {
      this.#isBroken = true;
      throw error;
    }
    this.#turn = 0;
    await this.#change(this.#config(0, 'at rest'));
  }

  /** Each config is another one; that one is unchanged can only be a late word on the file that was there before. */
  async #change(yaml: string): Promise<void> {
    const { weir } = this.#proxy;
    let { text } = await weir.edit(yaml);
    while (text === 'config is unchanged') ({ text } = await weir.reloadBy(() => {}));
    if (text !== 'config runs') throw new Error(`a reload ended with "${text}"`);
  }

  #config(turn: number, mark = ''): string {
    return `# ${mark} ${this.reloads++}\n${soakConfig(this.#origins.map(({ port }) => port), turn)}`;
  }

  async #visit(seed: number, endMs: number): Promise<void> {
    const random = seededRandom(seed);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const visitor = { port: this.#proxy.weir.port(), random, tally: this.tally, agent };
    while (performance.now() < endMs && !this.#isBroken) {
      await withinPatience(visitAtRandom(visitor));
      await pause(random.below(VISIT_PAUSE_MS));
    }
    agent.destroy();
  }

  async #reload(endMs: number): Promise<void> {
    while (performance.now() + RELOAD_EVERY_MS < endMs && !this.#isBroken) {
      await pause(RELOAD_EVERY_MS);
      if (this.#isBroken) return;
      await this.#change(this.#config(++this.#turn));
    }
  }

  async #restart(endMs: number): Promise<void> {
    for (let nth = 0; performance.now() + RESTART_EVERY_MS < endMs; nth++) {
      await pause(RESTART_EVERY_MS);
      // One that is started now would outlive the run.
      if (this.#isBroken) return;
      const origin = this.#origins[nth % this.#origins.length]!;
      await origin.kill();
      await pause(AWAY_MS);
      await origin.start();
      this.restarts++;
    }
  }
}

/** A visit that does not end is a finding, not a wait. */
async function withinPatience({ kind, ended }: Visit): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`a visit (${kind}) took more than ${VISIT_MS_MAX / 1000} s`)), VISIT_MS_MAX);
  });
  await Promise.race([ended, tooLong]);
  clearTimeout(timer);
}

function line(sample: SoakSample, tally: VisitTally): string {
  const { second, rssMiB, heldMiB, descriptors, clients, backendConnections, inFlight } = sample;
  const visitsText = `answered ${tally.answered}, aborted ${tally.aborted}, unavailable ${tally.unavailable}, cut ${tally.cut}, wrong ${tally.wrong}`;
  return `${String(Math.round(second)).padStart(5)} s  rss ${rssMiB.toFixed(1)} MiB  held ${heldMiB.toFixed(1)} MiB  fds ${descriptors}  clients ${clients}  to origins ${backendConnections}  in flight ${inFlight}  | ${visitsText}`;
}

async function soak(minutes: number, warmUpMinutes: number, seed: number, allocator: Readonly<Record<string, string>>): Promise<{ readonly samples: SoakSample[]; readonly verdict: ReturnType<typeof verdictOf>; readonly counts: object }> {
  const origins = [await OriginProcess.start(), await OriginProcess.start()];
  const proxy = await startProbed(soakConfig(origins.map(({ port }) => port), 0), 2, allocator);
  const startedMs = performance.now();
  const second = (): number => (performance.now() - startedMs) / 1000;
  const samples: SoakSample[] = [];
  const state = new Soak(proxy, origins, seed);
  const look = async (ask: 'look' | 'collect', label: string): Promise<SoakSample> => {
    const sample = await takeSample(proxy, second(), ask);
    console.log(`${line(sample, state.tally)}${label}`);
    return sample;
  };
  try {
    await state.run(performance.now() + warmUpMinutes * 60_000);
    await pause(SETTLE_MS);
    const before = await look('collect', '  <- after warm-up, at rest');
    const endMs = performance.now() + minutes * 60_000;
    const running = state.run(endMs);
    // A failure is seen at the next sample, not at the end.
    const failed = running.then(() => undefined);
    while (performance.now() + SAMPLE_EVERY_MS < endMs) {
      await Promise.race([pause(SAMPLE_EVERY_MS), failed]);
      samples.push(await look('look', ''));
    }
    await running;
    await pause(SETTLE_MS);
    const after = await look('collect', '  <- at the end, at rest');
    const { tally, reloads, restarts } = state;
    const failures = await ownFailures(proxy);
    return { samples: [before, ...samples, after], verdict: verdictOf(before, after, tally, failures), counts: { ...tally, reloads, restarts, ...failures } };
  } finally {
    await proxy.weir.stop();
    for (const origin of origins) await origin.kill();
  }
}

export async function runSoakBench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { minutes: { type: 'string', default: '30' }, 'warm-up': { type: 'string' }, seed: { type: 'string', default: '1' }, 'default-allocator': { type: 'boolean', default: false }, save: { type: 'string' } } });
  const minutes = Number(values.minutes);
  const seed = Number(values.seed);
  const warmUpMinutes = Number(values['warm-up'] ?? Math.max(1, minutes / 6));
  if (!(minutes > 0 && warmUpMinutes > 0)) throw new Error('--minutes and --warm-up must be numbers above 0');
  const machine = describeMachine(false);
  console.log(`${minutes} min after a warm-up of ${warmUpMinutes} min, seed ${seed}, 2 workers, ${VISITORS} visitors; ${machine.runtime}, ${machine.cores} × ${machine.cpu}`);
  const { samples, verdict, counts } = await soak(minutes, warmUpMinutes, seed, values['default-allocator'] ? {} : FIXED_ALLOCATOR);
  for (const { what, isHeld, text } of verdict) console.log(`${isHeld ? 'held  ' : 'BROKEN'}  ${what}: ${text}`);
  console.log(`\nresult: ${saveResult({ bench: 'soak', machine, minutes, warmUpMinutes, seed, verdict, counts, samples }, 'soak', values.save ?? null)}`);
  if (verdict.some(({ isHeld }) => !isHeld)) throw new Error('the proxy is not as it was after the warm-up');
}
