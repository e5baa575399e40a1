/**
 * `npm run sim -- --seed 1 --seeds 100 --members 5`: simulated lives of a tier,
 * one after the other. A seed that fails is told with its story and ends the
 * run with 1; the same seed and numbers replay it exactly.
 */
import { parseArgs } from 'node:util';
import { simulate } from './simulate.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    members: { type: 'string', default: '5' },
    backends: { type: 'string', default: '6' },
    storm: { type: 'string', default: '40' },
    story: { type: 'boolean', default: false },
    'keep-going': { type: 'boolean', default: false },
  },
});
const first = Number(values.seed);
const count = Number(values.seeds);
const members = Number(values.members);
const backends = Number(values.backends);
const stormMs = Number(values.storm) * 1000;
if (![first, count, members, backends, stormMs].every((value) => Number.isInteger(value) && value >= 0) || members < 1) {
  console.error('--seed, --seeds, --members, --backends and --storm (seconds) are whole numbers');
  process.exit(2);
}

let virtualMs = 0;
let failed = 0;
let overlapMs = 0;
const startMs = performance.now();
for (let seed = first; seed < first + count; seed++) {
  const life = await simulate({ seed, members, backends, stormMs });
  virtualMs += life.virtualMs;
  overlapMs = Math.max(overlapMs, life.overlapMs);
  if (values.story || life.violations.length > 0) console.log(life.story.join('\n'));
  if (life.violations.length > 0) {
    failed++;
    console.log(`seed ${seed} fails: ${life.violations.map(({ atMs, what }) => `${(atMs / 1000).toFixed(3)} ${what}`).join('; ')}`);
    console.log(`again: npm run sim -- --seed ${seed} --members ${members} --backends ${backends} --storm ${values.storm}`);
    if (!values['keep-going']) break;
  } else if (count === 1) console.log(`seed ${seed}: no violation, ${life.probes} probes, fingerprint ${life.fingerprint}`);
}
const tookS = (performance.now() - startMs) / 1000;
console.log(`${count} seeds, ${failed} failed; ${(virtualMs / 3_600_000).toFixed(1)} hours of virtual time in ${tookS.toFixed(0)} s; longest overlap of two primaries without a fence ${(overlapMs / 1000).toFixed(1)} s`);
process.exitCode = failed === 0 ? 0 : 1;
