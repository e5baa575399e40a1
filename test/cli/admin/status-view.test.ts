import { describe, expect, it } from 'vitest';
import { statusText } from '../../../src/cli/admin/status-view.ts';
import { statusText as statusChunks } from '../../../src/control-plane/admin/status-text.ts';
import { statusAnswer, type StatusAnswer } from '../../../src/control-plane/admin/answers.ts';
import { backendColumns } from '../../../src/shared/counter-pages.ts';
import { AdminWorld, largeSnapshot, LOADED_AT_MS } from '../../support/admin-world.ts';
import { plainBackend, plainListener, plainPool } from '../../support/plain-snapshot.ts';

const NOW_MS = LOADED_AT_MS + 3_723_000;

async function answerOf(world: AdminWorld): Promise<StatusAnswer> {
  let text = '';
  for await (const chunk of statusChunks(world, { pool: null, backends: true })) text += chunk;
  return statusAnswer.parse(JSON.parse(text));
}

async function golden(name: string, world: AdminWorld): Promise<void> {
  await expect(statusText(await answerOf(world), NOW_MS)).toMatchFileSnapshot(`../../golden/status/${name}.txt`);
}

function smallWorld(): AdminWorld {
  const api = { ...plainPool('api', []), algorithm: { ...plainPool('', []).algorithm, name: 'ring-hash' }, backends: [plainBackend('10.0.1.1:9000'), { ...plainBackend('10.0.1.2:9000'), state: 'drain' as const }] };
  const world = new AdminWorld({
    snapshot: { listeners: [plainListener('web', 8080, null), plainListener('internal-api', 8443, '10.0.0.5')], pools: [plainPool('web', ['10.0.0.11:8080', '10.0.0.12:8080', 'app.internal:8080']), api] },
  });
  const { cells, base } = world.counters[0]!.backends.at(0);
  cells[base + backendColumns.codeClass + 1] = 1_234_567;
  world.table.backend(0).storeLatency(1234, 0);
  world.table.backend(0).addInFlight(17);
  world.table.backend(1).verdict = 'down';
  world.notes.set(1, { sinceMs: NOW_MS - 95_000, reason: 'connect refused', operator: null });
  world.table.backend(2).eject(1);
  world.table.listener(0).addConnections(1024);
  return world;
}

describe('the status for a person', () => {
  it('of a small proxy lists all there is', () => golden('small', smallWorld()));

  it('says panic, worker restarts and why it is not ready', () => {
    const world = smallWorld();
    for (const row of [0, 1, 2]) world.table.backend(row).verdict = 'down';
    world.proxyState = 'draining';
    world.reasons = ['draining: kernel update', 'only 1 of 2 workers run the committed config'];
    world.workerViews = [world.workerViews[0]!, { ...world.workerViews[1]!, state: 'down', restarts: 3 }];
    return golden('panic', world);
  });

  it('before the first config', () => {
    const world = new AdminWorld();
    world.config = null;
    world.proxyState = 'starting';
    return golden('no-config', world);
  });

  it('of 10,000 backends lists those that are not well, fifty at most', () => {
    const world = new AdminWorld({ snapshot: largeSnapshot(2, 5000) });
    for (let row = 0; row < 10_000; row += 100) world.table.backend(row).verdict = 'down';
    return golden('large', world);
  });

  it('of 10,000 backends that are well is short', () => golden('large-well', new AdminWorld({ snapshot: largeSnapshot(2, 5000) })));

  it('lets no text of others move the cursor', async () => {
    const world = smallWorld();
    world.notes.set(0, { sinceMs: NOW_MS, reason: '\x1b[2Jx\ny\u202e', operator: null });
    // eslint-disable-next-line no-control-regex -- control characters are what must not be there
    expect(statusText(await answerOf(world), NOW_MS)).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
  });
});
