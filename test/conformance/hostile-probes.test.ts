/**
 * Every probe type that speaks over TCP, against backends that are no backend
 * of its protocol: each attempt fails with a reason and leaves no connection,
 * and a monitor with all of them at once takes them down and goes on probing
 * the others.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inSlices, systemClock } from '../../src/base/clock.ts';
import { seededRandom } from '../../src/base/random.ts';
import { HealthMonitor } from '../../src/control-plane/health/monitor.ts';
import type { ProbeDefinition } from '../../src/control-plane/health/probe.ts';
import { probeDefinitions } from '../../src/control-plane/health/registry.ts';
import type { VerdictEvent } from '../../src/control-plane/health/verdicts.ts';
import { dialUdp } from '../../src/net/dial-udp.ts';
import { dial, type Dial } from '../../src/net/dial.ts';
import { BackendRig, healthSpec, type PoolSketch } from '../support/backend-rig.ts';
import { until } from '../support/bad-origin.ts';
import { hostileBackend, hostileKinds } from '../support/hostile-backends.ts';
import { LoneMembership } from '../support/lone-membership.ts';
import type { PoolSpec } from '../../src/shared/snapshot.ts';
import { OddBackend } from '../support/odd-backends.ts';
import { probeOnce } from '../support/probe-once.ts';

const NOT_OVER_TCP = new Set(['dns', 'exec', 'udp']);
/** What a type has to be told before it looks at the answer. */
const asked: Readonly<Record<string, Record<string, unknown>>> = { tcp: { expect: 'ready' } };

const kinds = Object.keys(hostileKinds);
interface Way {
  readonly way: string;
  readonly type: string;
  readonly definition: ProbeDefinition;
  readonly options: Record<string, unknown>;
  readonly protocol: PoolSpec['protocol'];
}

const overTcp = probeDefinitions.filter(({ name }) => !NOT_OVER_TCP.has(name)).map((definition): Way => ({ way: definition.name, type: definition.name, definition, options: asked[definition.name] ?? {}, protocol: 'http1' }));
const types: readonly Way[] = [...overTcp, { ...overTcp.find(({ type }) => type === 'http')!, way: 'http over HTTP/2', protocol: 'h2c' }];
const LONE_ATTEMPT_MS = 100;
const ATTEMPT_MS = 250;

let backends: ReadonlyMap<string, OddBackend>;
beforeAll(async () => {
  backends = new Map(await Promise.all(kinds.map(async (kind) => [kind, await hostileBackend(kind)] as const)));
});
afterAll(() => Promise.all([...backends.values()].map((backend) => backend.stop())));

it('is about most types', () => {
  expect(types.length).toBeGreaterThan(4);
});

describe.each(types)('$way', ({ definition, options, protocol }) => {
  it.each(kinds)('fails a backend that %s, with a reason, and leaves no connection', async (kind) => {
    const backend = backends.get(kind)!;
    const result = await probeOnce(definition, backend.port, options, { signal: AbortSignal.timeout(LONE_ATTEMPT_MS), overHttp2: protocol === 'h2c' });
    expect(result).toMatchObject({ ok: false, reason: expect.stringMatching(/^(?!probe failed).{3,200}$/) });
    await backend.idle();
  });
});

/** Calls back on each TCP connection that a probe makes. */
function counting(count: (port: number) => void): Dial {
  return (to, options) => {
    count(to.port);
    return dial(to, options);
  };
}

it('a monitor takes them all down, with the reason, and goes on probing the others', async () => {
  const well = await OddBackend.start((socket) => socket.resume());
  const attempts = new Map<number, number>();
  const rig = new BackendRig();
  const tier = new LoneMembership(systemClock);
  const events: VerdictEvent[] = [];
  const monitor = new HealthMonitor({
    clock: systemClock,
    random: seededRandom(1),
    dial: counting((port) => attempts.set(port, (attempts.get(port) ?? 0) + 1)),
    dialUdp,
    names: { addressOf: () => null, failureOf: () => null, connectFailed: () => undefined },
    membership: tier,
    roster: tier.roster,
    pace: () => ({ heartbeatMs: 1000, leaseMs: 3000, probers: 3 }),
  });
  tier.events = { onVerdict: (check, entry) => monitor.acceptVerdict(check, entry) };
  monitor.verdicts.subscribe((event) => events.push(event));

  const times = { intervalMs: 100, fastIntervalMs: 100, timeoutMs: ATTEMPT_MS };
  const hostile: PoolSketch[] = kinds.flatMap((kind) =>
    types.map(({ way, type, definition, options, protocol }) => ({ name: `${way} ${kind}`, protocol, backends: [`127.0.0.1:${backends.get(kind)!.port}`], health: healthSpec({ ...times, type, options: definition.options.parse(options) }) })),
  );
  const others: PoolSketch = { name: 'others', backends: [`127.0.0.1:${well.port}`], health: healthSpec({ ...times, timeoutMs: 2000 }) };
  await inSlices(monitor.apply(rig.place(...hostile, others)));

  const isDown = ({ name, backends: [address] }: PoolSketch): boolean => rig.row(name, address as string).verdict === 'down';
  // All down, and then looked at for as long as it takes to probe each of them three times more.
  await until(() => hostile.every(isDown) && rig.row('others', `127.0.0.1:${well.port}`).verdict === 'up');
  attempts.clear();
  const silent = backends.get('says nothing')!.port;
  await until(() => (attempts.get(silent) ?? 0) >= 3 * types.length);
  const attemptsOfOthers = attempts.get(well.port) ?? 0;
  monitor.stop();

  // Each silent one was probed three times, at the pace of its time-outs; what waits for nobody, at least as often.
  expect(attemptsOfOthers).toBeGreaterThanOrEqual(3);
  expect(events.filter(({ pools }) => pools[0] === 'others').map(({ to }) => to)).toEqual(['up']);
  for (const { name } of hostile) expect(events.find(({ pools }) => pools[0] === name), name).toMatchObject({ to: 'down', reason: expect.stringMatching(/^(?!probe failed).{3,200}$/) });
  for (const { way } of types) expect(events.find(({ pools }) => pools[0] === `${way} says nothing`)).toMatchObject({ reason: `timed out after ${ATTEMPT_MS} ms` });
  for (const backend of backends.values()) await backend.idle();
  await well.stop();
});
