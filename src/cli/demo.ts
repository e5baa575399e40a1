/**
 * `weir demo` and `weir demo backend NAME`: a proxy over three small backends
 * on this machine, to look at. Resolves to the exit code.
 */
import { demoBackends, serveDemoBackend } from './demo/demo-backend.ts';
import { demoConfigFile, startDemo } from './demo/start-demo.ts';
import type { RunFlags } from './run/run-options.ts';
import { runCommand } from './run.ts';

/** A name of its own, so that it shares no state with a proxy that really works here. */
const DEMO_NODE = 'demo';

/** Takes the flags of `weir run`. */
export async function demoCommand(flags: RunFlags): Promise<number> {
  try {
    await startDemo((text) => process.stdout.write(text));
  } catch (error) {
    return refuse(error, 'is another demo running?');
  }
  return runCommand(demoConfigFile, { node: DEMO_NODE, ...flags });
}

/** Serves until the process is ended: 0 means that it listens. */
export async function demoBackendCommand(name: string): Promise<number> {
  const backend = demoBackends.find((each) => each.name === name);
  if (backend === undefined) {
    process.stderr.write(`weir demo backend: there is no "${name}"; there are ${demoBackends.map((each) => each.name).join(', ')}\n`);
    return 2;
  }
  try {
    const port = await serveDemoBackend(backend);
    process.stdout.write(`${name} listens on 127.0.0.1:${port} (pid ${process.pid}); Ctrl-C ends it\n`);
    return 0;
  } catch (error) {
    return refuse(error, 'is it still running?');
  }
}

function refuse(error: unknown, hint: string): number {
  process.stderr.write(`weir demo: ${error instanceof Error ? error.message : String(error)}: ${hint}\n`);
  return 1;
}
