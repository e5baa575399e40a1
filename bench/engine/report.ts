/** The engine's table in Markdown: one line a row, and what must be known to read it. */
import type { Machine } from '../machine.ts';
import { figure, type Spread } from '../statistics.ts';
import { NOISE_MAX, OTHERS_MAX, type RowResult } from './verdict.ts';

export interface EngineResult {
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly rounds: number;
  readonly seconds: number;
  readonly rows: readonly RowResult[];
}

export function engineReport({ machine, versions, rounds, seconds, rows }: EngineResult): string {
  const pinned = machine.pinned ? 'proxies pinned to core 0, load and backend to core 1' : 'NOT pinned: proxies, load and backend share the cores';
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}; ${pinned}; load average at the start ${machine.loadAtStart.toFixed(2)}.`,
    `${Object.values(versions).join(', ')}. ${rounds} interleaved rounds of ${seconds} s; cost is CPU time of the proxy's process.`,
    '',
    engineTable(rows),
    '',
    `*noise*: by how much two Weirs differ; *others*: share of the proxies' core that anything else used; repetitions with more than ${percent(OTHERS_MAX, 0)} of it are set aside if three others are left. A row with more than ${percent(NOISE_MAX, 0)} or ${percent(OTHERS_MAX, 0)} is marked noisy: do not rely on it.`,
  ].join('\n');
}

export function engineTable(rows: readonly RowResult[]): string {
  const head = ['work', 'unit', 'Weir', 'peers', 'figure (lowest–highest)', 'against', 'at most', 'verdict', 'noise', 'busy', 'others', 'errors'];
  return [head, head.map(() => '---'), ...rows.map(cells)].map((line) => `| ${line.join(' | ')} |`).join('\n');
}

function cells(row: RowResult): string[] {
  const costs = Object.entries(row.costs).filter(([, cost]) => Number.isFinite(cost));
  const listed = (weir: boolean): string => costs.filter(([name]) => name.startsWith('weir') === weir).map(([name, cost]) => `${weir ? name.replace(/^weir(, )?/, '') : name} ${figure(cost)}`.trim()).join('; ');
  return [
    row.work,
    row.unit,
    listed(true),
    listed(false) || '–',
    spreadText(row.figure),
    row.against || '–',
    String(row.atMost),
    row.noisy && row.verdict !== 'rejected' ? `${row.verdict}, noisy` : row.verdict,
    row.noise === null ? '–' : percent(row.noise),
    row.busy.max > 0 ? `${percent(row.busy.min, 0)}–${percent(row.busy.max, 0)}` : '–',
    Number.isFinite(row.others.median) ? `${percent(row.others.median, 0)}${row.setAside > 0 ? `, ${row.setAside} set aside` : ''}` : '–',
    String(row.errors),
  ];
}

function spreadText({ median, min, max }: Spread): string {
  return Number.isFinite(median) ? `**${median.toFixed(2)}** (${min.toFixed(2)}–${max.toFixed(2)})` : '–';
}

function percent(share: number, digits = 1): string {
  return `${(share * 100).toFixed(digits)} %`;
}
