/**
 * `weir demo` and `weir demo backend NAME`: a proxy over three small backends
 * on this machine, to look at. Resolves to the exit code.
 */
import { serveDemoBackend } from './demo/demo-backend.ts';
import { demoPorts } from './demo/demo-ports.ts';
import { demoConfigFile, startDemo } from './demo/start-demo.ts';
import { runDemoTier, TIER_PROXIES_MAX } from './demo/start-tier.ts';
import type { RunFlags } from './run/run-options.ts';
import { runCommand } from './run.ts';

/** A name of its own, so that it shares no state with a proxy that really works here. */
const DEMO_NODE = 'demo';

/** `tier`: how many proxies, with a Redis between them; absent: one without. */
export interface DemoFlags extends RunFlags {
  readonly tier?: string;
}

/** Takes the flags of `weir run`. */
export async function demoCommand({ tier, ...flags }: DemoFlags): Promise<number> {
  if (tier !== undefined) return demoTier(tier);
  try {
    await startDemo((text) => process.stdout.write(text));
  } catch (error) {
    return refuse(error, 'is another demo running?');
  }
  return runCommand(demoConfigFile, { node: DEMO_NODE, ...flags });
}

async function demoTier(tier: string): Promise<number> {
  const proxies = /^[1-9]$/.test(tier) ? Number(tier) : 0;
  if (proxies < 2 || proxies > TIER_PROXIES_MAX) {
    process.stderr.write(`weir demo: --tier ${tier}: a whole number from 2 to ${TIER_PROXIES_MAX}\n`);
    return 2;
  }
  try {
    await runDemoTier(proxies, (text) => process.stdout.write(text));
    return 0;
  } catch (error) {
    process.stderr.write(`weir demo: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

/** Serves until the process is ended: 0 means that it listens. */
export async function demoBackendCommand(name: string): Promise<number> {
  const { backends } = demoPorts(process.env);
  const backend = backends.find((each) => each.name === name);
  if (backend === undefined) {
    process.stderr.write(`weir demo backend: there is no "${name}"; there are ${backends.map((each) => each.name).join(', ')}\n`);
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
