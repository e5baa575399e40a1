/**
 * What a config of 10,000 backends and 10,000 routes costs from its bytes to
 * the encoded snapshot, stage by stage: the first load (cold, as a starting
 * proxy does it) and the median of those after it (as a reload does it).
 * Milliseconds of CPU of the process, compiler and collector included.
 */
import { checkSchema } from '../../src/config/check-schema.ts';
import { compile } from '../../src/config/compile.ts';
import { crossCheck } from '../../src/config/cross-checks.ts';
import { loadYaml } from '../../src/config/load-yaml.ts';
import { config, type Config } from '../../src/config/schema/config.ts';
import { processSubstitutions } from '../../src/config/substitute.ts';
import { encodeSnapshot } from '../../src/shared/snapshot-codec.ts';
import { largeConfig } from '../../test/support/large-config.ts';

const ROUNDS = 7;
const bytes = Buffer.from(largeConfig({ backends: 10_000, routes: 10_000 }));
const spentMs = new Map<string, number[]>();

function stage<T>(name: string, run: () => T): T {
  const before = process.cpuUsage();
  const result = run();
  const { user, system } = process.cpuUsage(before);
  const rounds = spentMs.get(name) ?? [];
  rounds.push((user + system) / 1000);
  spentMs.set(name, rounds);
  return result;
}

for (let round = 0; round < ROUNDS; round++) {
  stage('all', () => {
    const { tree, problems, sha, effectiveSha } = stage('text', () => loadYaml(bytes, 'large.yaml', processSubstitutions('large.yaml', {})));
    const value = stage('schema', () => checkSchema(config, tree!, problems));
    stage('cross-checks', () => crossCheck(value, tree!, problems, { folder: '/', pluginsDir: null, descriptorsMax: null, adminBind: null, store: null, nowMs: Date.now(), pluginsGiven: false }));
    if (problems.hasErrors) throw new Error('the generated config does not load: the figures would mean nothing');
    const snapshot = stage('compile', () => compile(value as Config, { number: 1, sha, effectiveSha, tree: tree!, folder: '/', adminBind: null, store: null, stdoutIsTerminal: false }));
    stage('encode', () => encodeSnapshot(snapshot));
  });
}

console.log(`${bytes.length} bytes`);
for (const [name, [first = 0, ...rest]] of spentMs) {
  rest.sort((a, b) => a - b);
  console.log(`${name}: ${first.toFixed(0)} ms the first time, then ${rest[rest.length >> 1]!.toFixed(0)} (${rest[0]!.toFixed(0)}–${rest.at(-1)!.toFixed(0)})`);
}
