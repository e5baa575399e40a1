/**
 * How long a kind of operation took, by its result, in the buckets that all
 * histograms of the metrics page have. Main thread only.
 */
import { bucketOf, DURATION_BUCKETS } from '../shared/counter-pages.ts';

export interface TimesByResult {
  /** One cell a bucket and one for what is longer; not cumulative. */
  readonly buckets: Float64Array;
  sumSeconds: number;
}

export class OperationTimes<Result extends string> {
  readonly results: ReadonlyMap<Result, TimesByResult>;

  constructor(results: readonly Result[]) {
    this.results = new Map(results.map((result) => [result, { buckets: new Float64Array(DURATION_BUCKETS), sumSeconds: 0 }]));
  }

  add(result: Result, seconds: number): void {
    const times = this.results.get(result)!;
    times.buckets[bucketOf(seconds)]! += 1;
    times.sumSeconds += seconds;
  }
}
