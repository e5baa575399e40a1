/**
 * The coverage-guided search: inputs that reached something new are kept and
 * mutated further. A look at the coverage costs about a hundred inputs' worth
 * of parsing, so it is taken once per batch, and a batch that reached a new
 * block is halved until the input is found. How often a block ran is looked at
 * for single inputs only: the one found, and one of each batch.
 */
import type { Random } from '../../src/base/random.ts';
import { Coverage } from './coverage.ts';
import { mutate } from './mutate.ts';
import type { FuzzTarget } from './targets/target.ts';

const BATCH_INPUTS = 32;
const FINDINGS_MAX = 20;

export interface Finding {
  readonly input: Buffer;
  readonly error: Error;
}

export interface FuzzRun {
  /** Every input kept, the given ones that still add something among them. */
  readonly kept: readonly Buffer[];
  readonly findings: readonly Finding[];
  readonly executions: number;
  readonly points: number;
}

export class FuzzLoop {
  readonly #target: FuzzTarget;
  readonly #random: Random;
  readonly #coverage: Coverage;
  readonly #features = new Set<string>();
  readonly #kept: Buffer[] = [];
  readonly #findings: Finding[] = [];
  readonly #failures = new Set<string>();
  #executions = 0;

  constructor(target: FuzzTarget, random: Random) {
    this.#target = target;
    this.#random = random;
    this.#coverage = new Coverage(target.watched);
  }

  /** Runs until `isOver`, beginning with the seeds and `corpus` (the shortest first, so that long ones they cover are let go). */
  run(corpus: readonly Buffer[], isOver: (findings: number) => boolean): FuzzRun {
    const first = [...this.#target.seeds.map((text) => Buffer.from(text, 'latin1')), ...corpus].sort((a, b) => a.length - b.length);
    for (const input of first) this.#runAlone(input);
    if (this.#kept.length === 0) this.#kept.push(first[0]!);
    while (!isOver(this.#findings.length) && this.#findings.length < FINDINGS_MAX) this.#runBatch(Array.from({ length: BATCH_INPUTS }, () => this.#next()));
    const points = this.#coverage.size + this.#features.size;
    return { kept: this.#kept, findings: this.#findings, executions: this.#executions, points };
  }

  #next(): Buffer {
    const pick = (): string => {
      // The latest are the least explored.
      const { length } = this.#kept;
      const index = this.#random.below(3) === 0 ? length - 1 - this.#random.below(Math.min(length, 16)) : this.#random.below(length);
      return this.#kept[index]!.toString('latin1');
    };
    return Buffer.from(mutate(pick(), pick(), this.#target.tokens, this.#target.bytesMax, this.#random), 'latin1');
  }

  #runBatch(inputs: readonly Buffer[]): void {
    for (const input of inputs) if (this.#execute(input)) this.#keep(input);
    if (this.#coverage.takeBlocks()) this.#halve(inputs);
    this.#runAlone(inputs[this.#random.below(inputs.length)]!);
  }

  /** Among `inputs` is one that reached a new block. */
  #halve(inputs: readonly Buffer[]): void {
    if (inputs.length === 1) return this.#runAlone(inputs[0]!);
    const middle = inputs.length >> 1;
    for (const half of [inputs.slice(0, middle), inputs.slice(middle)]) {
      for (const input of half) this.#execute(input);
      if (this.#coverage.takeBlocks()) this.#halve(half);
    }
  }

  #runAlone(input: Buffer): void {
    this.#coverage.forget();
    const isNew = this.#execute(input);
    if (this.#coverage.takeAlone() || isNew) this.#keep(input);
  }

  #keep(input: Buffer): void {
    if (!this.#kept.some((other) => other.equals(input))) this.#kept.push(input);
  }

  /** True if the target told something it had not told before. */
  #execute(input: Buffer): boolean {
    this.#executions++;
    try {
      const feature = this.#target.check(input);
      if (this.#features.has(feature)) return false;
      this.#features.add(feature);
      return true;
    } catch (error) {
      const failure = error as Error;
      // One of a kind is enough to begin with.
      const kind = failure.message.split('\n')[0]!.replaceAll(/"(?:[^"\\]|\\.)*"|\d+/g, '…');
      if (!this.#failures.has(kind)) this.#findings.push({ input, error: failure });
      this.#failures.add(kind);
      return false;
    }
  }
}
