/** What probing counted for each pool since the process started; a shared check counts in each of its pools. */
import type { Verdict } from '../../shared/backend-table.ts';

export interface PoolCount {
  readonly passed: number;
  readonly failed: number;
  /** Results that said nothing, since this process or machine was at fault. */
  readonly void: number;
  readonly toUp: number;
  readonly toDown: number;
  readonly toUnknown: number;
}

const changeCounters = { up: 'toUp', down: 'toDown', unknown: 'toUnknown' } as const satisfies Record<Verdict, keyof PoolCount>;

export class PoolCounts {
  readonly #counts = new Map<string, { -readonly [K in keyof PoolCount]: number }>();

  /** All zero for a pool never heard of. */
  of(pool: string): PoolCount {
    return this.#counts.get(pool) ?? newCount();
  }

  probed(pool: string, result: 'passed' | 'failed' | 'void'): void {
    this.#own(pool)[result]++;
  }

  verdictChanged(pool: string, to: Verdict): void {
    this.#own(pool)[changeCounters[to]]++;
  }

  /** Drops every pool that is not among `pools`. */
  keepOnly(pools: ReadonlySet<string>): void {
    for (const pool of this.#counts.keys()) if (!pools.has(pool)) this.#counts.delete(pool);
  }

  #own(pool: string): { -readonly [K in keyof PoolCount]: number } {
    const known = this.#counts.get(pool);
    if (known !== undefined) return known;
    const count = newCount();
    this.#counts.set(pool, count);
    return count;
  }
}

function newCount(): { -readonly [K in keyof PoolCount]: number } {
  return { passed: 0, failed: 0, void: 0, toUp: 0, toDown: 0, toUnknown: 0 };
}
