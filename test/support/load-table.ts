/** What a load came to, for people. */
import type { LoadReport, PhaseReport } from './load-messages.ts';

const COLUMNS = ['phase', 'seconds', 'requests', 'per second', 'new conn.', 'POSTs', 'failed', 'closed by answer', 'closed at rest'];

export function loadTable({ phases, stalls, longestStallMs }: LoadReport): string {
  const used = phases.filter(({ requests }) => requests > 0);
  const rows = [COLUMNS, ...used.map(rowOf), rowOf(sumOf(used))];
  const widths = COLUMNS.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  const lines = rows.map((row) => row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join('  '));
  const kinds = used.flatMap(({ name, failures }) => [...tally(failures.map(({ group, kind, status, method, isKept, formerAnswers }) => `${name}: ${group} ${kind}${status > 0 ? ` ${status}` : ''} ${method} ${isKept ? `kept, ${formerAnswers > 0 ? 'used' : 'first'}` : 'new'}`))]);
  return [...lines, ...kinds.map(([text, count]) => `  ${count} × ${text}`), `the load itself stood still for ${longestStallMs.toFixed(0)} ms at most, ${stalls.length} times for a second or more`].join('\n');
}

function rowOf({ name, lastedMs, requests, fresh, posts, failures, closedByAnswer, closedAtRest }: PhaseReport): string[] {
  return [name, (lastedMs / 1000).toFixed(1), ...[requests, (requests / lastedMs) * 1000, fresh, posts, failures.length, closedByAnswer, closedAtRest].map((value) => value.toFixed(0))];
}

function sumOf(phases: readonly PhaseReport[]): PhaseReport {
  const sum = (key: 'lastedMs' | 'requests' | 'fresh' | 'posts' | 'closedByAnswer' | 'closedAtRest'): number => phases.reduce((total, phase) => total + phase[key], 0);
  return {
    name: 'all', lastedMs: sum('lastedMs'), requests: sum('requests'), fresh: sum('fresh'), posts: sum('posts'),
    closedByAnswer: sum('closedByAnswer'), closedAtRest: sum('closedAtRest'), failures: phases.flatMap(({ failures }) => failures), answers: {},
  };
}

function tally(texts: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}
