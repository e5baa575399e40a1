/** `npm run bench [-- load|engine|algorithms|scale|soak|tier|tier-scale|tls-http2|layer4|micro …]`: see bench/README.md. Without a word it runs load. */
import { runAlgorithmsBench } from './algorithms/algorithms-bench.ts';
import { runEngineBench } from './engine/engine-bench.ts';
import { runLayer4Bench } from './layer4/layer4-bench.ts';
import { runLoadBench } from './load/load-bench.ts';
import { runMicroBenches } from './micro-bench.ts';
import { runScaleBench } from './scale/scale-bench.ts';
import { runSoakBench } from './soak/soak-bench.ts';
import { runTierBench } from './tier/figures-bench.ts';
import { runTlsHttp2Bench } from './tls-http2/tls-http2-bench.ts';
import { runTierScaleBench } from './tier/tier-scale-bench.ts';

const benches: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  load: runLoadBench,
  engine: runEngineBench,
  algorithms: runAlgorithmsBench,
  layer4: runLayer4Bench,
  micro: runMicroBenches,
  scale: runScaleBench,
  soak: runSoakBench,
  tier: runTierBench,
  'tier-scale': runTierScaleBench,
  'tls-http2': runTlsHttp2Bench,
};

const [name = 'load', ...args] = process.argv.slice(2);
const run = benches[name];
if (run === undefined) {
  console.error(`no bench "${name}"; there are: ${Object.keys(benches).join(', ')}`);
  process.exitCode = 2;
} else {
  try {
    await run(args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
