/** Histograms and summaries as the counter pages hold them: plain buckets and a sum, made cumulative when written. */
import { DURATION_BUCKETS_S } from '../../shared/counter-pages.ts';
import type { Put } from './family.ts';

const bounds = [...DURATION_BUCKETS_S.map(String), '+Inf'].map((bound) => `le="${bound}"`);

/** The count is that of the buckets, so that it cannot disagree with them. */
export function putHistogram(put: Put, labels: string, buckets: Float64Array, sum: number): void {
  let total = 0;
  for (const [i, bound] of bounds.entries()) {
    total += buckets[i]!;
    put('_bucket', `${labels},${bound}`, total);
  }
  put('_sum', labels, sum);
  put('_count', labels, total);
}
