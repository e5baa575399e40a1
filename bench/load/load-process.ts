/**
 * The process that makes the load, away from the proxy's core. Its parent asks
 * for one run at a time over IPC and is sent the result.
 */
import { runAutocannon } from './autocannon-load.ts';
import { runRawLoad, type LoadResult } from './raw-load.ts';
import { findScenario } from './scenarios.ts';

export interface LoadOrder {
  readonly tool: 'raw' | 'autocannon';
  readonly scenario: string;
  readonly port: number;
  readonly durationMs: number;
}

export type LoadReport = { readonly result: LoadResult } | { readonly failure: string };

process.on('message', (order: LoadOrder) => {
  const run = order.tool === 'raw' ? runRawLoad : runAutocannon;
  run(findScenario(order.scenario), order.port, order.durationMs).then(
    (result) => process.send!({ result } satisfies LoadReport),
    (error: unknown) => process.send!({ failure: String(error) } satisfies LoadReport),
  );
});
process.once('disconnect', () => process.exit(0));
