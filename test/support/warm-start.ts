/**
 * Before all tests: one proxy is started and ended in good order, so that the
 * runtime keeps what it has made of the sources. The hundreds of processes that
 * tests start read it from there (`warmEnv`), each for 0.75 s less CPU; a
 * killed one, as tests end them, would keep nothing.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** For children that run the sources: the test's own process measures its code, which a kept copy would blur. */
export const warmEnv: Readonly<Record<string, string>> = { NODE_COMPILE_CACHE: fileURLToPath(new URL('../../node_modules/.cache/weir-tests', import.meta.url)) };

const CONFIG = `
listeners: { web: { bind: "127.0.0.1:0", routes: [{ respond: { status: 200, body: warm } }] } }
pools: {}
admin: { bind: "127.0.0.1:0" }
drain: { delay: 0, timeout: 1s }
`;

export async function setup(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-warm-'));
  const file = join(folder, 'weir.yaml');
  await writeFile(file, CONFIG);
  const child = spawn(process.execPath, [main, 'run', file, '--state-dir', join(folder, 'state'), '--workers', '1'], { env: { ...process.env, ...warmEnv }, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'exit');
  // One that does not start is what the tests will tell, in their own words.
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (line.includes('"text":"ready"')) child.kill('SIGTERM');
  });
  await ended;
  await rm(folder, { recursive: true, force: true });
}
