/**
 * Process entry of a demo backend: `backend-entry.ts NAME PORT`. Under the demo
 * it reports to its parent and ends with it; from `weir demo backend NAME` it
 * runs until it is stopped.
 */
import { endWithParent, serveDemoBackend } from './demo-backend.ts';
import type { BackendReport } from './start-demo.ts';

const [name = 'blue', port = '0'] = process.argv.slice(2);

function report(message: BackendReport): void {
  process.send?.(message);
}

endWithParent();
try {
  report({ kind: 'listening', port: await serveDemoBackend({ name, port: Number(port) }) });
} catch (error) {
  report({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
  process.exitCode = 1;
  process.disconnect?.();
}
