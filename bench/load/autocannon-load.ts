/** The same scenarios driven by autocannon: the figure others can compare with theirs. */
import autocannon from 'autocannon';
import type { Scenario } from './scenarios.ts';
import type { LoadResult } from './tally.ts';

export async function runAutocannon(scenario: Scenario, port: number, durationMs: number): Promise<LoadResult> {
  const result = await autocannon({
    url: `http://127.0.0.1:${port}${scenario.path}`,
    connections: scenario.connections,
    duration: durationMs / 1000,
    method: scenario.method,
    headers: Object.fromEntries(scenario.headers),
    ...(scenario.uploadBytes > 0 ? { body: Buffer.alloc(scenario.uploadBytes, 'u') } : {}),
  });
  return {
    requests: result.requests.total,
    errors: result.errors + result.timeouts + result.non2xx,
    elapsedMs: result.duration * 1000,
    latencyMs: { p50: result.latency.p50, p90: result.latency.p90, p99: result.latency.p99 },
  };
}
