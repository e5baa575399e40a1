/**
 * Under a steady load of GETs and POSTs, over kept connections and over new
 * ones, everything happens to a proxy that happens to one in its life. Every
 * request is accounted for: none fails but for two kinds, counted apart, POSTs
 * that a killed backend had been sent already and what a crashed worker had.
 */
import { expect, onTestFailed, onTestFinished, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { BackendProcess } from '../support/backend-process.ts';
import { LoadClient } from '../support/load-client.ts';
import type { LoadFailure, LoadGroup, LoadReport } from '../support/load-messages.ts';
import { loadTable } from '../support/load-table.ts';
import { ask, WeirProcess } from '../support/weir-process.ts';

const KEPT = 60;
const FRESH_MAX = 40;
const EDITS = 20;
const AFTER_STALL_MS = 1000;
const LOG_LINES_SHOWN = 30;
/** Load alone, in the phases where nothing else sets the time. */
const QUIET_REQUESTS = 3000;

interface World {
  readonly weir: WeirProcess;
  readonly load: LoadClient;
  readonly a: BackendProcess;
  readonly b: BackendProcess;
  readonly c: BackendProcess;
  /** Not in the config at first. */
  readonly d: BackendProcess;
}

interface ConfigPatch {
  readonly backends: readonly BackendProcess[];
  readonly extraPort?: number;
  readonly more?: string;
}

function config({ backends, extraPort, more = '' }: ConfigPatch): string {
  return `
listeners:
  web: { bind: "127.0.0.1:0", pool: web }
${extraPort === undefined ? '' : `  extra: { bind: "127.0.0.1:${extraPort}", pool: web }`}
pools:
  web: { health: http, backends: [${backends.map(({ address }) => `"${address}"`).join(', ')}] }
admin: { bind: "127.0.0.1:0" }
drain: { delay: 2s, timeout: 20s }
${more}`;
}

const webLoad = (port: number): LoadGroup => ({ name: 'web', port, ratePerSecond: 2250, kept: KEPT, freshShare: 0.2, freshMax: FRESH_MAX });
const extraLoad = (port: number): LoadGroup => ({ name: 'extra', port, ratePerSecond: 200, kept: 8, freshShare: 0.2, freshMax: 8 });

test('under continuous load nothing is lost that could be kept', { timeout: 240_000 }, async () => {
  await using a = await BackendProcess.start('a');
  await using b = await BackendProcess.start('b');
  await using c = await BackendProcess.start('c');
  await using d = await BackendProcess.start('d');
  await using weir = await WeirProcess.start(config({ backends: [a, b, c] }), { env: { WEIR_TEST_HOOKS: '1' } });
  await using load = new LoadClient();
  const world = { weir, load, a, b, c, d };
  // Also when the time is over: then nothing is disposed of.
  onTestFinished(() => weir.stop());
  onTestFailed(() => console.log(`the end of the proxy's log:\n${weir.log.slice(-LOG_LINES_SHOWN).map((line) => JSON.stringify(line)).join('\n')}\n${weir.said}`));
  load.start(webLoad(weir.port()));

  await quiet(world);
  await using c2 = await killedBackend(world);
  await edits(world, c2);
  await listenerAddedAndRemoved(world, c2);
  await refusedEdit(world, c2);
  const { lostConnections } = await crashedWorker(world);
  await term(world);

  const report = await load.report();
  console.log(`${loadTable(report)}\nthe crashed worker had ${lostConnections} connections`);
  checkReport(report, lostConnections);
});

async function quiet({ load }: World): Promise<void> {
  await load.phase('quiet');
  await load.requests(QUIET_REQUESTS);
}

/** Killed, seen down, started again, seen up. */
async function killedBackend({ weir, load, c }: World): Promise<BackendProcess> {
  await load.phase('backend killed -9');
  const from = weir.log.length;
  await c.kill();
  await weir.line((line) => line.text === 'backend down' && line['address'] === c.address, from);
  await load.phase('backend back');
  const again = await BackendProcess.start('c2', c.port);
  await weir.line((line) => line.text === 'backend up' && line['address'] === c.address, from);
  await load.requests(QUIET_REQUESTS / 3);
  return again;
}

async function edits({ weir, load, a, b, d }: World, c: BackendProcess): Promise<void> {
  await load.phase(`${EDITS} edits`);
  for (let edit = 1; edit <= EDITS; edit++) {
    const isThere = edit % 2 === 1;
    const from = weir.log.length;
    expect(await weir.edit(config({ backends: isThere ? [a, b, c, d] : [a, b, c] }))).toMatchObject({ text: 'config runs', version: edit + 1 });
    if (isThere) await weir.line((line) => line.text === 'backend up' && line['address'] === d.address, from);
  }
}

async function listenerAddedAndRemoved({ weir, load, a, b }: World, c: BackendProcess): Promise<void> {
  await load.phase('listener added');
  const extraPort = await freePort();
  expect(await weir.edit(config({ backends: [a, b, c], extraPort }))).toMatchObject({ text: 'config runs' });
  load.start(extraLoad(extraPort));
  await load.requests(QUIET_REQUESTS / 3);
  // Its clients have been told to go elsewhere; the connections they keep are used to the last.
  await load.phase('listener removed');
  const { left } = load.leave('extra');
  expect(await weir.edit(config({ backends: [a, b, c] }))).toMatchObject({ text: 'config runs' });
  await left;
  await expect(ask(extraPort, '/')).rejects.toThrow('ECONNREFUSED');
}

async function refusedEdit({ weir, load, a, b }: World, c: BackendProcess): Promise<void> {
  await load.phase('edit refused');
  const before = await runningVersion(weir);
  expect(await weir.edit(config({ backends: [a, b, c], more: 'pols: {}\n' }))).toMatchObject({ text: expect.stringContaining('refused') });
  expect(await runningVersion(weir)).toBe(before);
  await weir.edit(config({ backends: [a, b, c] }));
}

async function runningVersion(weir: WeirProcess): Promise<number> {
  return (JSON.parse((await weir.admin('/api/v1/status')).body) as { config: { version: number } }).config.version;
}

async function crashedWorker({ weir, load }: World): Promise<{ lostConnections: number }> {
  await load.phase('worker crashed');
  const from = weir.log.length;
  weir.signal('SIGUSR2');
  const died = await weir.line(({ text }) => text === 'worker died', from);
  await load.phase('after the crash');
  await load.requests(QUIET_REQUESTS / 3);
  return { lostConnections: Number(died['lostConnections']) };
}

/** What stands in front sees readyz fail and opens nothing new; what is open is answered to the end. */
async function term({ weir, load }: World): Promise<void> {
  await load.phase('TERM, not yet told');
  weir.signal('SIGTERM');
  while ((await weir.admin('/readyz')).status !== 503);
  await load.requests(QUIET_REQUESTS / 6);
  await load.phase('TERM, told');
  const { left } = load.leave('web');
  await left;
  expect(await weir.exited).toEqual({ code: 0, signal: null });
  await expect(ask(weir.port(), '/')).rejects.toThrow('ECONNREFUSED');
}

function checkReport({ phases, stalls }: LoadReport, lostConnections: number): void {
  // Where the whole machine stood still for seconds, every idle time of every process ran out at once: that shows nothing about the proxy.
  const isOfStall = ({ beganMs, endedMs }: LoadFailure): boolean => stalls.some((stall) => beganMs <= stall.endedMs + AFTER_STALL_MS && endedMs >= stall.beganMs);
  const failures = new Map(phases.map((phase) => [phase.name, phase.failures.filter((failure) => !isOfStall(failure))]));
  const take = (phase: string, isAllowed: (failure: LoadFailure) => boolean): LoadFailure[] => {
    const all = failures.get(phase)!;
    failures.set(phase, all.filter((failure) => !isAllowed(failure)));
    return all.filter(isAllowed);
  };
  const sentToTheDead = take('backend killed -9', ({ kind, status, method }) => kind === 'status' && status === 502 && method === 'POST');
  const ofTheCrash = take('worker crashed', ({ kind }) => kind === 'reset' || kind === 'closed' || kind === 'truncated');
  expect([...failures].filter(([, rest]) => rest.length > 0)).toEqual([]);
  // No more than were under way, one on each connection.
  expect(sentToTheDead.length).toBeLessThanOrEqual(KEPT + FRESH_MAX);
  // A connection with a former answer had been accepted; one without may have been queued.
  expect(ofTheCrash.filter(({ formerAnswers }) => formerAnswers > 0).length).toBeLessThanOrEqual(lostConnections);
  expect(ofTheCrash.length).toBeLessThanOrEqual(lostConnections + FRESH_MAX);
  const answers = phases.find(({ name }) => name.endsWith('edits'))!.answers;
  expect(answers['d']).toBeGreaterThan(0);
  // The load was continuous: each phase has requests of each kind; once the clients are told, over what they had.
  for (const { name, requests, fresh, posts } of phases.slice(1)) {
    expect(requests, name).toBeGreaterThan(posts);
    expect(posts, name).toBeGreaterThan(0);
    if (name !== 'TERM, told') expect(fresh, name).toBeGreaterThan(0);
  }
}
