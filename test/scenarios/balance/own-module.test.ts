/** An operator's own balancer: what it decides counts, and what it does wrong costs no request but those of a worker that it hangs. */
import { existsSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startBackends } from '../../support/named-backend.ts';
import { metricsOf, statusOf, untilStatus, visit, visitorsOnBoth } from '../../support/visitor.ts';
import { WeirProcess } from '../../support/weir-process.ts';

const picking = (pick: string): string => `export default { create: (candidates) => ({ pick() { ${pick} } }) };`;

interface Scene extends AsyncDisposable {
  readonly weir: WeirProcess;
  /** Writes the module and reloads; the answer of the admin interface. */
  readonly take: (code: string) => Promise<{ status: number; body: string }>;
}

async function scene(code: string): Promise<Scene> {
  const backends = await startBackends('a', 'b');
  const folder = await mkdtemp(join(tmpdir(), 'weir-'));
  const file = join(folder, 'own.js');
  await writeFile(file, code);
  const weir = await WeirProcess.start(
    `
listeners:
  web: { bind: "127.0.0.1:0", pool: web }
pools:
  web: { algorithm: { name: ./own.js, slack: 1 }, backends: ${JSON.stringify(backends.map(({ address }) => address))} }
admin: { bind: "127.0.0.1:0" }
`,
    { folder, args: ['--no-watch'] },
  );
  return {
    weir,
    take: async (next) => {
      await writeFile(file, next);
      return weir.admin('/api/v1/reload', 'POST', {});
    },
    async [Symbol.asyncDispose]() {
      await weir.stop();
      for (const backend of backends) await backend.stop();
    },
  };
}

async function served(weir: WeirProcess, count = 12): Promise<string[]> {
  const answers = await Promise.all(Array.from({ length: count }, () => visit(weir.port())));
  expect(answers.map(({ status }) => status)).toEqual(Array(count).fill(200));
  return [...new Set(answers.map(({ backend }) => backend))].sort();
}

describe.concurrent('a module of the operator’s own', () => {
  it('decides, and an edited one decides after the next reload', async () => {
    await using scened = await scene(picking('return 1;'));
    const { weir, take } = scened;
    expect(await served(weir)).toEqual(['b']);
    const before = (await statusOf(weir)).config!;
    expect(JSON.parse((await take(picking('return 0;'))).body)).toMatchObject({ version: 2, changed: true });
    expect(await served(weir)).toEqual(['a']);
    const after = (await statusOf(weir)).config!;
    expect(after.hash).toBe(before.hash);
    expect(after.effectiveHash).not.toBe(before.effectiveHash);
  });

  it('that throws or answers nonsense is done by round robin, and said seldom', async () => {
    await using scened = await scene(picking('throw new Error("not today");'));
    const { weir, take } = scened;
    expect(await served(weir, 40)).toEqual(['a', 'b']);
    expect(await weir.line(({ text }) => text === 'the algorithm threw: not today')).toMatchObject({ level: 'error', pool: 'web', faults: 1 });
    for (const nonsense of ['"1"', '7', 'NaN', '-1', 'undefined', 'null', '0.5']) {
      expect((await take(picking(`return ${nonsense};`))).status).toBe(200);
      expect(await served(weir)).toEqual(['a', 'b']);
    }
    const said = weir.log.filter(({ text }) => text.startsWith('the algorithm'));
    // A line for each worker and code at most, though hundreds of picks failed.
    expect(said.length).toBeLessThanOrEqual(16);
    expect((await statusOf(weir)).workers.map(({ restarts }) => restarts)).toEqual([0, 0]);
  });

  it('that cannot be taken is refused with its reason, and the former goes on', async () => {
    await using scened = await scene(picking('return 1;'));
    const { weir, take } = scened;
    const refused: readonly (readonly [code: string, reason: string])[] = [
      ['export default {', 'cannot be loaded'],
      ['export default {};', 'must have a function `create'],
      ['export default { create() { throw new Error("no backends of mine"); } };', 'no backends of mine'],
      ['export default { options: { parse() { throw new Error("slack is too large"); } }, create() {} };', 'slack is too large'],
      ['await new Promise(() => {}); export default {};', 'did not finish loading within 5 s'],
    ];
    for (const [code, reason] of refused) {
      const answer = await take(code);
      expect(answer.status).toBe(422);
      expect(answer.body).toContain(reason);
      expect(await served(weir, 4)).toEqual(['b']);
    }
    expect((await take(picking('return 0;'))).status).toBe(200);
    expect(await served(weir, 4)).toEqual(['a']);
  });

  it('that never returns costs the worker’s connections: it is replaced, and the other one serves on', async () => {
    const code = `
import { existsSync, rmSync } from 'node:fs';
const marker = new URL('./hang', import.meta.url);
export default { create: () => ({ pick() { if (existsSync(marker)) { rmSync(marker); for (;;); } return 0; } }) };`;
    await using scened = await scene(code);
    const { weir } = scened;
    const [near, far] = await visitorsOnBoth(weir.port(), 1);
    await writeFile(join(weir.folder, 'hang'), '');
    const lost = near[0]!.ask();
    lost.catch(() => undefined);
    while (existsSync(join(weir.folder, 'hang'))) await new Promise((resolve) => setImmediate(resolve));
    expect((await far[0]!.ask()).status).toBe(200);
    await expect(lost).rejects.toThrow();
    expect(await weir.line(({ text }) => text === 'worker died')).toMatchObject({ level: 'error', reason: 'its loop stood still for 5 s' });
    expect((await far[0]!.ask()).isReused).toBe(true);
    await untilStatus(weir, ({ workers }) => workers.every(({ state }) => state === 'running'));
    expect((await metricsOf(weir)).get('weir_worker_restarts_total')).toBe(1);
    near[0]!.close();
    far[0]!.close();
  });
});
