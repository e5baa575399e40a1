import { mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadBalancerModule, resolveAlgorithm } from '../../../src/data-plane/balance/load-module.ts';
import { balancers } from '../../../src/data-plane/balance/registry.ts';
import type { AlgorithmSpec } from '../../../src/shared/snapshot.ts';
import { BalanceRig, countPicks, fakeCandidates, pickedIndexes } from '../../support/balance-rig.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-plugins-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string, modifiedS = 1000): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  utimesSync(path, modifiedS, modifiedS);
  return path;
}

const spec = (module: string | null, options: Record<string, unknown> = {}, name = 'module'): AlgorithmSpec => ({
  name,
  module,
  options,
  key: { kind: 'client-ip', name: '' },
});
const create = 'create: (candidates) => ({ pick: () => candidates.length - 1 })';

describe('an own module', () => {
  test('needs create alone', async () => {
    const definition = await loadBalancerModule(write('last.js', `export default { ${create} };`), folder);
    expect(definition).toMatchObject({ name: 'last', summary: '', usesKey: false });
    expect(definition.create(fakeCandidates([1, 1, 1]), {}, { random: { next: () => 0, below: () => 0 }, previous: null }).pick({ keyHash: 0, isPassedOver: null })).toBe(2);
  });

  test('may be TypeScript and keep what create needs on itself', async () => {
    const text = 'export default { start: 1 as number, create() { const { start } = this; return { pick: (): number => start }; } };';
    const rig = new BalanceRig([{}, {}]);
    expect(pickedIndexes(rig.worker(await resolveAlgorithm(spec(write('typed.ts', text)), folder)))).toEqual([1]);
  });

  test('is loaded anew when the file changed, and is the same object when not', async () => {
    const before = await loadBalancerModule(write('changing.js', `export default { summary: 'One.', ${create} };`), folder);
    expect(await loadBalancerModule(join(folder, 'changing.js'), folder)).toBe(before);
    write('changing.js', `export default { summary: 'Two.', ${create} };`, 2000);
    expect((await loadBalancerModule(join(folder, 'changing.js'), folder)).summary).toBe('Two.');
  });

  test.each([
    ['no-default.js', 'export const a = 1;', 'has no default export that is an object'],
    ['function.js', 'export default () => 1;', 'has no default export that is an object'],
    ['no-create.js', 'export default { name: "x" };', 'must have a function `create'],
    ['bad-name.js', `export default { name: 5, ${create} };`, '`name` must be a string'],
    ['bad-key.js', `export default { usesKey: "yes", ${create} };`, '`usesKey` must be a boolean'],
    ['bad-options.js', `export default { options: { slack: 1 }, ${create} };`, '`options` must have a function `parse`'],
    ['bad-decay.js', `export default { latencyDecayMs: 5, ${create} };`, '`latencyDecayMs` must be a function'],
    ['throws.js', 'throw new Error("out of luck");', 'cannot be loaded: out of luck'],
    ['syntax.js', 'export default {', 'cannot be loaded'],
  ])('%s is refused', async (name, text, message) => {
    await expect(loadBalancerModule(write(name, text), folder)).rejects.toThrow(message);
  });

  test('a missing file is refused', async () => {
    await expect(loadBalancerModule(join(folder, 'missing.js'), folder)).rejects.toThrow('cannot be read');
  });

  test('lies below the plugins folder, links followed', async () => {
    const inside = join(folder, 'inside');
    mkdirSync(inside);
    const outside = write('outside.js', `export default { ${create} };`);
    symlinkSync(outside, join(inside, 'link.js'));
    await expect(loadBalancerModule(outside, inside)).rejects.toThrow('is not below');
    await expect(loadBalancerModule(join(inside, 'link.js'), inside)).rejects.toThrow('is not below');
    mkdirSync(`${inside}-too`);
    writeFileSync(join(`${inside}-too`, 'a.js'), `export default { ${create} };`);
    await expect(loadBalancerModule(join(`${inside}-too`, 'a.js'), inside)).rejects.toThrow('is not below');
    await expect(loadBalancerModule(outside, null)).rejects.toThrow('no folder for modules is named');
  });

  test('options pass as written without a schema, and a schema may refuse them', async () => {
    const plain = write('plain.js', `export default { ${create} };`);
    expect((await resolveAlgorithm(spec(plain, { anything: [1] }), folder)).options).toEqual({ anything: [1] });
    const picky = write('picky.js', `export default { options: { parse({ n = 3 }) { if (n > 5) throw new Error('n is too large'); return { n }; } }, ${create} };`);
    expect((await resolveAlgorithm(spec(picky), folder)).options).toEqual({ n: 3 });
    await expect(resolveAlgorithm(spec(picky, { n: 6 }), folder)).rejects.toThrow('n is too large');
  });
});

test('a registered algorithm is found by name, its options untouched', async () => {
  for (const definition of balancers) {
    const options = { checked: true };
    expect(await resolveAlgorithm(spec(null, options, definition.name), null)).toEqual({ definition, options });
  }
  await expect(resolveAlgorithm(spec(null, {}, 'nonsense'), null)).rejects.toThrow('no algorithm is named "nonsense"');
});

test('the example in config/examples does what it says', async () => {
  const path = new URL('../../../config/examples/own-balancer.js', import.meta.url).pathname;
  const examples = dirname(path);
  const { definition, options } = await resolveAlgorithm(spec(path, { slack: 2 }), examples);
  const candidates = fakeCandidates([1, 1, 1]);
  const balancer = definition.create(candidates, options, { random: { next: () => 0, below: () => 0 }, previous: null });
  candidates[0]!.load = 2;
  expect(countPicks(balancer, 3, 10)).toEqual([10, 0, 0]);
  candidates[0]!.load = 3;
  expect(countPicks(balancer, 3, 10)).toEqual([0, 10, 0]);
  expect(countPicks(balancer, 3, 10, (index) => index === 1)).toEqual([0, 0, 10]);
  expect(balancer.pick({ keyHash: 0, isPassedOver: () => true })).toBe(-1);
  await expect(resolveAlgorithm(spec(path, { slack: -1 }), examples)).rejects.toThrow('slack must be a whole number');
  await expect(resolveAlgorithm(spec(path, { slak: 1 }), examples)).rejects.toThrow('unknown: slak');
});
