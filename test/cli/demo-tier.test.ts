/** `weir demo --tier 2`, and the commands of the tour it prints, as they are printed. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { TierAnswer } from '../../src/control-plane/admin/answers.ts';
import { root } from '../tidy/sources.ts';
import { freePort } from '../support/free-port.ts';
import { ask, until } from '../support/weir-process.ts';

const main = join(root, 'src/main.ts');
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

interface Demo {
  readonly child: ChildProcess;
  readonly base: number;
  readonly tour: string;
}

/** Tried again elsewhere when somebody has one of its ports. */
async function startDemo(): Promise<Demo> {
  for (let tries = 1; ; tries++) {
    const base = await freePort();
    const child = spawn(process.execPath, [main, 'demo', '--tier', '2'], { env: { ...process.env, WEIR_DEMO_PORT_BASE: String(base) }, stdio: ['ignore', 'pipe', 'pipe'] });
    children.push(child);
    let tour = '';
    let said = '';
    child.stderr.on('data', (text: Buffer) => (said += text.toString()));
    const isUp = new Promise<boolean>((resolve) => {
      child.stdout.on('data', (text: Buffer) => {
        tour += text.toString();
        if (tour.includes('Ctrl-C ends it all.')) resolve(true);
      });
      child.once('exit', () => resolve(false));
    });
    if (await isUp) return { child, base, tour };
    if (tries === 5) throw new Error(said);
  }
}

/** The command of the tour that begins like this, run in a shell as a reader would. */
function run({ tour }: Demo, front: string): Promise<string> {
  const line = tour.split('\n').map((text) => text.trim().split(/ {3,}/)[0]!).find((command) => command.startsWith(front));
  if (line === undefined) throw new Error(`the tour has no ${front}`);
  const command = line.replace('npm run weir --', `"${process.execPath}" "${main}"`);
  return new Promise((resolve, reject) => {
    const child = execFile('sh', ['-c', `exec ${command}`], (error: Error | null, out) => (error !== null && !child.killed ? reject(error) : resolve(out)));
    children.push(child);
  });
}

const tierOf = async ({ base }: Demo): Promise<TierAnswer> => JSON.parse((await ask(base + 10, '/api/v1/tier')).body) as TierAnswer;

test('its tour holds: a backend, a proxy and Redis are killed, and it goes on', { timeout: 120_000 }, async () => {
  const demo = await startDemo();
  expect(await run(demo, 'curl localhost')).toMatch(/^(blue|green|orange) answers GET \/ /);
  await until(async () => (await tierOf(demo)).members.filter(({ state }) => state === 'ready').length === 2);
  expect(await run(demo, 'npm run weir -- members')).toMatch(/^tier demo · 2\/2 members ready · leader demo-[12] · config 1 [^]*\ndemo-1 +ready [^]*\ndemo-2 +ready /);

  await run(demo, 'kill ');
  await until(async () => (await tierOf(demo)).verdicts[0]?.verdict === 'down');
  expect(await run(demo, 'npm run weir -- status --tier')).toMatch(new RegExp(`colours/127\\.0\\.0\\.1:${demo.base + 21} +down.* demo-[12]: down`));

  await run(demo, 'kill -9 ');
  await until(async () => (await tierOf(demo)).members.length === 1);
  const killRedis = demo.tour.split('\n').findLast((text) => text.trim().startsWith('kill '))!.trim().split(/ {3,}/)[0]!;
  await run({ ...demo, tour: killRedis }, 'kill ');
  await until(async () => (await tierOf(demo)).controlPlane === 'autonomous');
  expect((await ask(demo.base, '/')).status).toBe(200);

  void run(demo, 'redis-server').catch(() => undefined);
  await until(async () => (await tierOf(demo)).controlPlane === 'connected' && (await tierOf(demo)).config?.version === 1);
  expect(await run(demo, 'npm run weir -- history')).toMatch(/\n +1 +head|\n1 +head/);

  const ended = once(demo.child, 'exit');
  demo.child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  await expect(ask(demo.base, '/')).rejects.toThrow('ECONNREFUSED');
});
