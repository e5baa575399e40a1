/**
 * `npm run bench -- tier-scale`: what a tier costs and how fast it is as it
 * grows, in virtual time: the real link, health and rollout of every member
 * over the memory store. Beside it what the same tier would cost the naive way:
 * every proxy probes every backend and writes each result into the store. The
 * large rows take minutes and gigabytes each, so that they are measured one at
 * a time; `--save` keeps the rows that were there.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { describeMachine } from '../machine.ts';
import { saveResult } from '../results.ts';
import { measureSize, type ScaleRow, type ScaleSize } from './scale-row.ts';

/**
 * With more than so many backends and other members in all members together, only some hold all backends: a hundred, or
 * so many as hold WHOLE_BACKENDS in all. More takes more memory than there is time to collect it in.
 */
const HELD_MAX = 1_500_000;
const WHOLE_MEMBERS = 100;
const WHOLE_BACKENDS = 200_000;

const SIZES = ['3x100', '10x1000', '10x10000', '100x100', '100x1000', '100x10000', '1000x100', '1000x1000', '1000x10000'];

const HEAD = ['members', 'backends', 'store calls/s', 'store bytes/s', 'probes/s a backend', 'all ready', 'silent backend out', 'first to last', 'killed one gone', 'naive: probes/s a backend', 'naive: store writes/s', 'CPU', 'memory'];

export async function runTierScaleBench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { rows: { type: 'string', default: SIZES.join(',') }, save: { type: 'string' } } });
  const sizes = values.rows.split(',').map(sizeOf);
  const rows: ScaleRow[] = [];
  console.log(`| ${HEAD.join(' | ')} |\n|${' --- |'.repeat(HEAD.length)}`);
  for (const size of sizes) {
    const row = await measureSize(size, 1);
    rows.push(row);
    console.log(lineOf(row));
  }
  const all = [...keptRows(values.save ?? null, rows), ...rows].sort((a, b) => a.members - b.members || a.backends - b.backends);
  console.log(`\nresult: ${saveResult({ bench: 'tier-scale', machine: describeMachine(false), virtualTime: true, rows: all }, 'tier-scale', values.save ?? null)}`);
}

function sizeOf(text: string): ScaleSize {
  const [, members, backends] = /^(\d+)x(\d+)$/.exec(text) ?? [];
  if (members === undefined || backends === undefined) throw new Error(`"${text}" is no size: MEMBERSxBACKENDS`);
  const isTooLarge = Number(members) * (Number(members) + Number(backends)) > HELD_MAX;
  return { members: Number(members), backends: Number(backends), wholeMembers: isTooLarge ? Math.min(WHOLE_MEMBERS, Math.floor(WHOLE_BACKENDS / Number(backends))) : null };
}

/** Of an earlier run under the same name, those of other sizes. */
function keptRows(save: string | null, measured: readonly ScaleRow[]): readonly ScaleRow[] {
  if (save === null) return [];
  try {
    const { rows } = JSON.parse(readFileSync(new URL(`../results/${save}.json`, import.meta.url), 'utf8')) as { readonly rows: readonly ScaleRow[] };
    return rows.filter((row) => !measured.some(({ members, backends }) => members === row.members && backends === row.backends));
  } catch {
    return [];
  }
}

function lineOf(row: ScaleRow): string {
  const cells = [
    String(row.members),
    String(row.backends),
    row.storeCallsPerS.toFixed(1),
    row.storeBytesPerS.toFixed(0),
    row.probesPerBackendPerS.toFixed(2),
    `${(row.allReadyMs / 1000).toFixed(1)} s`,
    `${row.silentOutMs.toFixed(0)} ms`,
    `${row.spreadMs.toFixed(0)} ms`,
    `${row.killedGoneMs.toFixed(0)} ms`,
    String(row.naiveProbesPerBackendPerS),
    String(row.naiveStoreWritesPerS),
    `${row.cpuS.toFixed(0)} s`,
    `${row.memoryMiB.toFixed(0)} MiB`,
  ];
  return `| ${cells.join(' | ')} |`;
}
