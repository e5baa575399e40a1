/**
 * What inputs reached of the code under test, from V8's precise block coverage
 * over node:inspector. A block is new if no run before reached it; of a single
 * input's run it also counts how often a block ran, to a power of two.
 */
import { Session, type Profiler } from 'node:inspector';

/** One for the whole process: functions compiled while no coverage is taken have no counters when it begins again. */
const session = new Session();
let isStarted = false;

export class Coverage {
  readonly #isWatched: (url: string) => boolean;
  readonly #blocks = new Set<string>();
  readonly #counts = new Set<string>();
  /** By function: every range that was ever reported of it. */
  readonly #ranges = new Map<string, Map<string, Profiler.CoverageRange>>();

  /** `watched`: ends of the paths of the files to look at. */
  constructor(watched: readonly string[]) {
    this.#isWatched = (url) => watched.some((path) => url.endsWith(path));
    if (!isStarted) {
      session.connect();
      session.post('Profiler.enable');
      session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
      isStarted = true;
    }
    this.forget();
  }

  /** Blocks known so far, with the counts seen of each. */
  get size(): number {
    return this.#counts.size;
  }

  /** Lets go of what ran since the last look. */
  forget(): void {
    session.post('Profiler.takePreciseCoverage', () => {});
  }

  /** True if what ran since the last look reached a new block. It is known only once a single run reached it too. */
  takeBlocks(): boolean {
    let isNew = false;
    this.#eachBlock((block) => {
      if (!this.#blocks.has(block)) isNew = true;
    });
    return isNew;
  }

  /** The same for the run of one input, with how often each block ran; all of it is known from then on. */
  takeAlone(): boolean {
    const known = this.#counts.size;
    this.#eachBlock((block, count) => {
      this.#blocks.add(block);
      this.#counts.add(`${block}:${32 - Math.clz32(count)}`);
    });
    return this.#counts.size > known;
  }

  #eachBlock(visit: (block: string, count: number) => void): void {
    // A session connected to its own thread answers within the call.
    session.post('Profiler.takePreciseCoverage', (error, taken) => {
      if (error !== null) throw new Error(`no coverage: ${error.message}`);
      for (const { url, functions } of taken.result) {
        if (!this.#isWatched(url)) continue;
        const file = url.slice(url.lastIndexOf('/') + 1);
        for (const each of functions) this.#eachRange(file, each.ranges, visit);
      }
    });
  }

  /**
   * V8 leaves a block out that ran as often as the one around it, so that a
   * block which is reported while it does not run vanishes when it does. Every
   * range ever reported of a function is therefore looked up each time.
   */
  #eachRange(file: string, ranges: readonly Profiler.CoverageRange[], visit: (block: string, count: number) => void): void {
    const whole = `${file}:${nameOf(ranges[0]!)}`;
    let known = this.#ranges.get(whole);
    if (known === undefined) this.#ranges.set(whole, (known = new Map()));
    for (const range of ranges) known.set(nameOf(range), range);
    for (const [name, range] of known) {
      const count = countOf(range, ranges);
      if (count > 0) visit(`${file}:${name}`, count);
    }
  }
}

function nameOf({ startOffset, endOffset }: Profiler.CoverageRange): string {
  return `${startOffset}-${endOffset}`;
}

/** Of the innermost reported range that holds `wanted`; outer ones are reported before inner ones. */
function countOf(wanted: Profiler.CoverageRange, ranges: readonly Profiler.CoverageRange[]): number {
  let count = 0;
  for (const { startOffset, endOffset, count: ran } of ranges) {
    if (startOffset > wanted.startOffset) break;
    if (endOffset >= wanted.endOffset) count = ran;
  }
  return count;
}
