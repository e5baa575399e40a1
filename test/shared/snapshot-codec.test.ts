/** A snapshot goes through shared memory unchanged, whatever is in it, and no thread stands still for a large one. */
import fc from 'fast-check';
import { dump } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { decodeSnapshot, encodeSnapshot } from '../../src/shared/snapshot-codec.ts';
import type { RouteSpec } from '../../src/shared/snapshot.ts';
import { generatedConfigs } from '../support/generated-configs.ts';
import { largeConfig } from '../support/large-config.ts';
import { snapshotOf } from '../support/load-whole.ts';
import { turnsDuring } from '../support/loop-turns.ts';
import { plainBackend, plainListener, plainPool, plainSnapshot } from '../support/plain-snapshot.ts';

describe('a snapshot', () => {
  it('comes back as it was, from any config', async () => {
    await fc.assert(
      fc.asyncProperty(generatedConfigs, async (config) => {
        const snapshot = snapshotOf(dump(config, { noRefs: true }));
        expect(await decodeSnapshot(encodeSnapshot(snapshot))).toStrictEqual(snapshot);
      }),
      { numRuns: 200 },
    );
  });

  it('keeps addresses whose host and port are not their text, and texts of every kind', async () => {
    const [route] = plainListener('web', 0, null, ['line\nbreak "quoted" ü 😀']).routes as [RouteSpec];
    const backends = [
      { ...plainBackend('app.internal:80'), named: true },
      { ...plainBackend('x:1'), address: '[::1]:8080', host: '::1', port: 8080 },
      { ...plainBackend('x:1'), address: '10.0.0.1:080', host: '10.0.0.1', port: 80 },
      { ...plainBackend('10.0.0.1:8080'), weight: 7, priority: 2, state: 'drain' as const },
    ];
    const listeners = [{ ...plainListener('web'), routes: [route] }, plainListener('none')];
    const snapshot = plainSnapshot({ listeners, pools: [{ ...plainPool('a', []), backends }, plainPool('none', []), plainPool('b', ['10.0.0.1:8080'])] });
    expect(await decodeSnapshot(encodeSnapshot(snapshot))).toStrictEqual(snapshot);
  });

  it('is decoded with a turn of the loop for each 500 routes or backends, wherever they stand', async () => {
    const parts = 10_000;
    for (const pools of [1, 5000]) {
      const encoded = encodeSnapshot(snapshotOf(largeConfig({ backends: parts, routes: parts, pools })));
      expect(await turnsDuring(() => decodeSnapshot(encoded))).toBeGreaterThanOrEqual((2 * parts) / 500);
    }
  });

  it('holds what routes have in common once', async () => {
    const { listeners } = await decodeSnapshot(encodeSnapshot(snapshotOf(largeConfig({ backends: 2, routes: 20, pools: 2 }))));
    const routes = listeners[0]!.routes;
    expect(new Set(routes.map(({ timeouts }) => timeouts)).size).toBe(1);
    expect(new Set(routes.map(({ action }) => action)).size).toBe(2);
  });
});
