import { describe, expect, it } from 'vitest';
import { topLines } from '../../../src/cli/admin/top-view.ts';
import { statusAnswer, type StatusAnswer } from '../../../src/control-plane/admin/answers.ts';
import { statusText } from '../../../src/control-plane/admin/status-text.ts';
import { backendColumns } from '../../../src/shared/counter-pages.ts';
import { AdminWorld, LOADED_AT_MS } from '../../support/admin-world.ts';
import { plainPool } from '../../support/plain-snapshot.ts';

const SCREEN = { rows: 20, columns: 120 };

async function answerOf(world: AdminWorld): Promise<StatusAnswer> {
  let text = '';
  for await (const chunk of statusText(world, { pool: null, backends: true })) text += chunk;
  return statusAnswer.parse(JSON.parse(text));
}

function count(world: AdminWorld, row: number, requests: number): void {
  const { cells, base } = world.counters[0]!.backends.at(row);
  cells[base + backendColumns.codeClass + 1]! += requests;
}

describe('top', () => {
  it('shows rates between two answers, the busiest backend first', async () => {
    const world = new AdminWorld({ snapshot: { pools: [plainPool('web', ['10.0.0.1:80', '10.0.0.2:80'])] } });
    count(world, 0, 1000);
    const previous = { status: await answerOf(world), atMs: 5000 };
    count(world, 0, 20);
    count(world, 1, 300);
    const lines = topLines(previous, { status: await answerOf(world), atMs: 7000 }, LOADED_AT_MS, SCREEN);
    expect(lines.filter((line) => line.startsWith('web')).map((line) => line.split(/\s{2,}/).slice(0, 4))).toEqual([
      ['web', '2/2', '160', '0'],
      ['web/10.0.0.2:80', 'up', 'ready', '150'],
      ['web/10.0.0.1:80', 'up', 'ready', '10'],
    ]);
  });

  it('knows no rate at first, nor after the proxy was started anew', async () => {
    const world = new AdminWorld({ snapshot: { pools: [plainPool('web', ['10.0.0.1:80'])] } });
    const fresh = { status: await answerOf(world), atMs: 2000 };
    count(world, 0, 500);
    const old = { status: await answerOf(world), atMs: 1000 };
    for (const previous of [null, old]) expect(topLines(previous, fresh, LOADED_AT_MS, SCREEN).at(-1)).toMatch(/^web\/10.0.0.1:80 +up +ready +0 +0 /);
  });

  it('fits the screen', async () => {
    const world = new AdminWorld({ snapshot: { pools: [plainPool('web', Array.from({ length: 90 }, (_, i) => `10.0.0.${i}:80`))] } });
    const lines = topLines(null, { status: await answerOf(world), atMs: 0 }, LOADED_AT_MS, { rows: 12, columns: 30 });
    expect(lines).toHaveLength(12);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(30);
  });
});
