/**
 * The process that makes the load, away from the proxy's core. Its parent asks
 * for one run at a time over IPC and is sent the result.
 */
import { runAutocannon } from './autocannon-load.ts';
import { HeldConnections } from './held-connections.ts';
import { runRawLoad } from './raw-load.ts';
import type { Scenario } from './scenarios.ts';
import type { LoadResult } from './tally.ts';
import { runWebSocketLoad } from './websocket-load.ts';

interface ToolOrder<Tool extends string> {
  readonly tool: Tool;
  readonly scenario: Scenario;
  readonly port: number;
  readonly durationMs: number;
}

/** `hold` opens connections that stay, each with one request; `pace` sends over them at a fixed rate; `release` closes them. */
export type LoadOrder =
  | ToolOrder<'raw' | 'autocannon' | 'websocket'>
  | { readonly tool: 'hold'; readonly scenario: Scenario; readonly port: number }
  | { readonly tool: 'pace'; readonly ratePerS: number; readonly durationMs: number }
  | { readonly tool: 'release' };

export type LoadReport = { readonly result: LoadResult } | { readonly failure: string };

let held: HeldConnections | null = null;

async function run(order: LoadOrder): Promise<LoadResult> {
  switch (order.tool) {
    case 'raw':
      return runRawLoad(order.scenario, order.port, order.durationMs);
    case 'autocannon':
      return runAutocannon(order.scenario, order.port, order.durationMs);
    case 'websocket':
      return runWebSocketLoad(order.scenario, order.port, order.durationMs);
    case 'hold':
      held = new HeldConnections(order.scenario, order.port);
      return held.open();
    case 'pace':
      if (held === null) throw new Error('nothing is held');
      return held.pace(order.ratePerS, order.durationMs);
    case 'release': {
      const result = await held?.release();
      held = null;
      if (result === undefined) throw new Error('nothing is held');
      return result;
    }
  }
}

process.on('message', (order: LoadOrder) => {
  run(order).then(
    (result) => process.send!({ result } satisfies LoadReport),
    (error: unknown) => process.send!({ failure: String(error) } satisfies LoadReport),
  );
});
process.once('disconnect', () => process.exit(0));
