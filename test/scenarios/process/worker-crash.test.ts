/** A worker that dies costs its own connections and nothing else: it is replaced, and counted. */
import { expect, test, vi } from 'vitest';
import { respondingConfig, until, WeirProcess } from '../../support/weir-process.ts';

// Whole processes start and stop here, and share the machine's cores with other tests.
vi.setConfig({ testTimeout: 90_000 });

test('a crashed worker is replaced and runs the config of the day', async () => {
  await using weir = await WeirProcess.start(respondingConfig('before'), { env: { WEIR_TEST_HOOKS: '1' } });
  expect(await weir.edit(respondingConfig('after'))).toMatchObject({ text: 'config runs', version: 2 });
  for (const worker of [0, 1]) {
    const from = weir.log.length;
    weir.signal('SIGUSR2');
    expect(await weir.line(({ text }) => text === 'worker died', from)).toMatchObject({ worker });
  }
  await serving(weir);
  for (let i = 0; i < 20; i++) expect((await weir.get('/')).body).toBe('after');
  const metrics = (await weir.admin('/metrics')).body;
  expect(metrics).toMatch(/^weir_worker_restarts_total 2$/m);
});

/** Both replacements run. */
async function serving(weir: WeirProcess): Promise<void> {
  await until(async () => {
    const { workers } = JSON.parse((await weir.admin('/api/v1/status')).body) as { workers: { state: string; restarts: number }[] };
    return workers.every(({ state, restarts }) => state === 'running' && restarts === 1);
  });
}
