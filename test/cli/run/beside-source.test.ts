import { describe, expect, it, vi } from 'vitest';
import { BesideSource } from '../../../src/cli/run/beside-source.ts';
import { parseBeside } from '../../../src/control-plane/membership/beside.ts';
import { backendColumns } from '../../../src/shared/counter-pages.ts';
import { AdminWorld, largeSnapshot } from '../../support/admin-world.ts';
import { plainListener, plainPool } from '../../support/plain-snapshot.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const pools = [plainPool('web', ['10.0.0.1:80', '10.0.0.2:80']), plainPool('other', ['10.0.1.1:80'])];
const listeners = [plainListener('front', 0, null)];

function serve(world: AdminWorld, row: number, answered: number): void {
  const { cells, base } = world.counters[0]!.backends.at(row);
  cells[base + backendColumns.codeClass + 1]! += answered;
}

describe('what a member leaves beside its record', () => {
  it('is usage, config, counts, and what drains', () => {
    const world = new AdminWorld({ snapshot: { pools, listeners } });
    world.table.listener(0).addConnections(4);
    serve(world, 1, 6);
    const draining = { 'web 10.0.0.1:80': { inFlight: 2, stampMs: 5 } };
    const told = parseBeside(new BesideSource(new VirtualClock(), world, () => draining, () => [7, 100, 1]).text([]));
    expect(told).toMatchObject({
      software: '1.2.3',
      config: { number: 1, sha: 'a'.repeat(64), effectiveSha: 'a'.repeat(64) },
      usage: { workers: 2, connections: 4, busiest: 0.25 },
      pools: { web: [6, 0, 0], other: [0, 0, 0] },
      answers: [0, 0],
      rollout: [7, 100, 1],
      draining,
    });
    expect(told).not.toHaveProperty('watched');
  });

  it('is told by a process that has no descriptor left for asking its memory', () => {
    const source = new BesideSource(new VirtualClock(), new AdminWorld({ snapshot: { pools, listeners } }), () => ({}));
    const before = parseBeside(source.text([])).usage!.rssBytes;
    using rss = vi.spyOn(process.memoryUsage, 'rss');
    rss.mockImplementation(() => {
      throw Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
    });
    expect(parseBeside(source.text([])).usage).toMatchObject({ rssBytes: before });
    expect(rss).toHaveBeenCalledOnce();
  });

  it('tells each backend of a watched pool, 500 at most', () => {
    const world = new AdminWorld({ snapshot: { pools, listeners } });
    serve(world, 1, 6);
    const source = new BesideSource(new VirtualClock(), world, () => ({}));
    expect(parseBeside(source.text(['web', 'absent'])).watched).toEqual({ web: { '10.0.0.1:80': [0, 0, 0], '10.0.0.2:80': [6, 0, 0] } });
    const large = new AdminWorld({ snapshot: largeSnapshot(1, 600) });
    expect(Object.keys(parseBeside(new BesideSource(new VirtualClock(), large, () => ({})).text(['pool0'])).watched!['pool0']!)).toHaveLength(500);
  });

  it('walks the totals of all pools no more than every three seconds', async () => {
    const clock = new VirtualClock();
    const world = new AdminWorld({ snapshot: { pools, listeners } });
    const source = new BesideSource(clock, world, () => ({}));
    const requests = (): number => parseBeside(source.text([])).pools!['web']![0];
    expect(requests()).toBe(0);
    serve(world, 0, 1);
    await clock.advance(2900);
    expect(requests()).toBe(0);
    await clock.advance(200);
    expect(requests()).toBe(1);
  });

  it('is less before the first config', () => {
    const world = new AdminWorld();
    world.config = null;
    expect(parseBeside(new BesideSource(new VirtualClock(), world, () => ({})).text(['web']))).toMatchObject({ config: null, usage: { connections: 0 } });
  });
});

it.each([undefined, '', 'x', '[]', '{"usage":{"cpu":-1}}'])('of another release or broken (%s) is read as nothing told', (text) => {
  expect(parseBeside(text)).toEqual({});
});
