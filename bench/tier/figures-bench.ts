/**
 * `npm run bench -- tier`: five real proxies over one Redis, each killed,
 * stopped or cut off from something under load, against what the design
 * promises. See bench/README.md.
 */
import { parseArgs } from 'node:util';
import { describeMachine } from '../machine.ts';
import { saveResult } from '../results.ts';
import { BenchTier } from './bench-tier.ts';
import { figuresTable, type Figure } from './figure.ts';
import { failoverRows, lossRows } from './loss-rows.ts';
import { redisCostRows, thousandRows } from './redis-cost.ts';
import { requestCostRows } from './request-cost.ts';
import { storeCostRows } from './store-cost.ts';
import { crashedRow, probersKilledRow, probesRow, silentRow, verdictRow } from './verdict-rows.ts';

const onOneTier: Readonly<Record<string, (bench: BenchTier, rounds: number) => Promise<Figure[]>>> = {
  verdict: verdictRow,
  silent: silentRow,
  crashed: crashedRow,
  probes: probesRow,
  probers: (bench, rounds) => probersKilledRow(bench, Math.ceil(rounds / 2)),
  loss: lossRows,
};
const onTheirOwn: Readonly<Record<string, (rounds: number) => Promise<Figure[]>>> = {
  failover: (rounds) => failoverRows(Math.ceil(rounds / 2)),
  store: storeCostRows,
  redis: redisCostRows,
  thousand: thousandRows,
  cpu: (rounds) => requestCostRows(3 * rounds),
};
const names = [...Object.keys(onOneTier), ...Object.keys(onTheirOwn)];

export async function runTierBench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { rows: { type: 'string', default: 'all' }, rounds: { type: 'string', default: '5' }, save: { type: 'string' } } });
  const rows = values.rows === 'all' ? names : values.rows.split(',');
  for (const row of rows) if (!names.includes(row)) throw new Error(`no row "${row}"; there are: ${names.join(', ')}`);
  const machine = describeMachine(false);
  console.log(`${machine.runtime}, ${machine.cores} × ${machine.cpu}, load ${machine.loadAtStart.toFixed(1)}`);
  const figures: Figure[] = [];
  const take = async (row: string, measuring: Promise<Figure[]>): Promise<void> => {
    const taken = await measuring;
    figures.push(...taken);
    console.log(`\n${row}\n${figuresTable(taken)}`);
  };
  await measureRows(rows, Number(values.rounds), take);
  console.log(`\n${figuresTable(figures)}\n\nresult: ${saveResult({ bench: 'tier', machine, figures }, 'tier', values.save ?? null)}`);
}

async function measureRows(rows: readonly string[], rounds: number, take: (row: string, measuring: Promise<Figure[]>) => Promise<void>): Promise<void> {
  const shared = rows.filter((row) => onOneTier[row] !== undefined);
  if (shared.length > 0) {
    await using bench = await BenchTier.start();
    for (const row of shared) await take(row, onOneTier[row]!(bench, rounds));
  }
  for (const row of rows) if (onTheirOwn[row] !== undefined) await take(row, onTheirOwn[row](rounds));
}
