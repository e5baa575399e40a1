/** What a load generator counts, and its result. */
export interface LoadResult {
  readonly requests: number;
  /** Answers with another status or length, lost connections, timeouts. */
  readonly errors: number;
  readonly elapsedMs: number;
  readonly latencyMs: { readonly p50: number; readonly p90: number; readonly p99: number };
}

const SAMPLES_MAX = 2_000_000;
/** One for all runs: a new one each would be 16 MB to clear within the time that is measured. */
const samplesMs = new Float64Array(SAMPLES_MAX);

/** One at a time is in use: a later one writes over the samples of the one before. */
export class Tally {
  errors = 0;
  private requests = 0;
  private readonly startMs = performance.now();

  answered(latencyMs: number): void {
    if (this.requests < SAMPLES_MAX) samplesMs[this.requests] = latencyMs;
    this.requests++;
  }

  result(): LoadResult {
    const elapsedMs = performance.now() - this.startMs;
    const sorted = samplesMs.subarray(0, Math.min(this.requests, SAMPLES_MAX)).sort();
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return { requests: this.requests, errors: this.errors, elapsedMs, latencyMs: { p50: at(0.5), p90: at(0.9), p99: at(0.99) } };
  }
}
