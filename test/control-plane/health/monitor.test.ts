import { afterEach, describe, expect, it } from 'vitest';
import { healthSpec } from '../../support/backend-rig.ts';
import { MonitorRig } from '../../support/monitor-rig.ts';

const ADDRESS = '127.0.0.1:81';
const health = healthSpec();

let rig: MonitorRig;
const start = (...args: ConstructorParameters<typeof MonitorRig>): MonitorRig => (rig = new MonitorRig(...args));
afterEach(() => rig.monitor.stop());

describe('a verdict', () => {
  it('is the first result', async () => {
    const { network, clock, backends } = start();
    network.ports.set(82, 'ECONNREFUSED');
    rig.apply({ name: 'web', backends: [ADDRESS, '127.0.0.1:82'], health });
    expect(backends.row('web', ADDRESS).verdict).toBe('unknown');
    await clock.advance(2);
    expect(backends.row('web', ADDRESS).verdict).toBe('up');
    expect(backends.row('web', '127.0.0.1:82').verdict).toBe('down');
    expect(rig.events.map(({ address, to, reason }) => [address, to, reason])).toEqual([
      [ADDRESS, 'up', 'probe passed'],
      ['127.0.0.1:82', 'down', 'connection refused'],
    ]);
  });

  it('falls after `fall` failures and rises after `rise` passes, each in a row', async () => {
    const { network, clock } = start();
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    await clock.advance(5000);
    expect(rig.changes()).toEqual(['unknown→up']);

    // Two failures, then a pass: nothing.
    network.ports.set(81, 'ECONNREFUSED');
    await advanceProbes(2);
    network.ports.set(81, 'accept');
    await advanceProbes(1);
    network.ports.set(81, 'ECONNREFUSED');
    await advanceProbes(2);
    expect(rig.changes()).toEqual(['unknown→up']);
    await advanceProbes(1);
    expect(rig.changes()).toEqual(['unknown→up', 'up→down']);

    network.ports.set(81, 'accept');
    await advanceProbes(1);
    network.ports.set(81, 'ECONNREFUSED');
    await advanceProbes(1);
    network.ports.set(81, 'accept');
    await advanceProbes(1);
    expect(rig.changes()).toHaveLength(2);
    await advanceProbes(1);
    expect(rig.changes()).toEqual(['unknown→up', 'up→down', 'down→up']);
  });

  it('says why: a silent backend timed out', async () => {
    const { network, clock } = start();
    network.ports.set(81, 'silent');
    rig.apply({ name: 'web', backends: [ADDRESS], health: healthSpec({ intervalMs: 60_000 }) });
    await clock.advance(505);
    expect(rig.events).toMatchObject([{ to: 'down', reason: 'timed out after 500 ms', pools: ['web'], address: ADDRESS }]);
    expect(network.open).toBe(0);
  });

  it('takes candidates anew in the pools concerned, and only there', async () => {
    const { clock, backends } = start();
    rig.apply({ name: 'web', backends: [ADDRESS], health }, { name: 'api', backends: ['127.0.0.1:82'], health: null });
    const before = { web: backends.pool('web').epoch, api: backends.pool('api').epoch };
    await clock.advance(2);
    expect(backends.pool('web').epoch).toBeGreaterThan(before.web);
    expect(backends.pool('api').epoch).toBe(before.api);
  });

  it('is up for a backend without health', () => {
    const { backends } = start();
    rig.apply({ name: 'web', backends: [ADDRESS], health: null });
    expect(backends.row('web', ADDRESS).verdict).toBe('up');
    expect([...rig.monitor.pending()]).toEqual([]);
  });

  /** Until that many more probes have started and ended. */
  async function advanceProbes(count: number): Promise<void> {
    const target = rig.network.timesOf(81).length + count;
    while (rig.network.timesOf(81).length < target) await rig.clock.advance(1);
    await rig.clock.advance(2);
  }
});

describe('a check', () => {
  it('is probed once however many pools name it, and its verdict holds in each', async () => {
    const { network, clock, backends } = start();
    rig.apply({ name: 'web', backends: [ADDRESS], health }, { name: 'api', backends: [ADDRESS], health });
    await clock.advance(2);
    expect(network.timesOf(81)).toHaveLength(1);
    expect(rig.events).toMatchObject([{ pools: ['web', 'api'], to: 'up' }]);
    expect(backends.row('api', ADDRESS).verdict).toBe('up');
    expect(rig.monitor.counts.of('web').passed).toBe(1);
    expect(rig.monitor.counts.of('api')).toMatchObject({ passed: 1, toUp: 1 });
  });

  it('is another one for another spec', async () => {
    const { network, clock } = start();
    rig.apply({ name: 'web', backends: [ADDRESS], health }, { name: 'api', backends: [ADDRESS], health: healthSpec({ timeoutMs: 400 }) });
    await clock.advance(2);
    expect(network.timesOf(81)).toHaveLength(2);
  });

  it('probes the port that `port` names', async () => {
    const { network, clock } = start();
    rig.apply({ name: 'web', backends: [ADDRESS], health: healthSpec({ port: 9000 }) });
    await clock.advance(2);
    expect(network.attempts).toMatchObject([{ address: '127.0.0.1', port: 9000 }]);
  });

  it('is not probed while disabled, and at once when that ends', async () => {
    const { network, clock, backends } = start();
    rig.apply({ name: 'web', backends: [{ address: ADDRESS, state: 'disabled' }], health });
    await clock.advance(5000);
    expect(network.attempts).toEqual([]);
    expect([...rig.monitor.pending()]).toEqual([]);

    backends.row('web', ADDRESS).state = 'ready';
    rig.monitor.stateChanged(backends.numberOf('web', ADDRESS));
    await clock.advance(2);
    expect(rig.changes()).toEqual(['unknown→up']);

    backends.row('web', ADDRESS).state = 'disabled';
    rig.monitor.stateChanged(backends.numberOf('web', ADDRESS));
    const tried = network.attempts.length;
    await clock.advance(5000);
    expect(network.attempts).toHaveLength(tried);
    expect(backends.row('web', ADDRESS).verdict).toBe('unknown');
  });

  it('goes on while one of its pools does not disable it', async () => {
    const { network, clock } = start();
    rig.apply({ name: 'web', backends: [{ address: ADDRESS, state: 'disabled' }], health }, { name: 'api', backends: [ADDRESS], health });
    await clock.advance(3000);
    expect(network.timesOf(81).length).toBeGreaterThan(1);
  });

  it('waits while too many are under way, then has its turn', async () => {
    const { network, clock } = start({ concurrencyMax: 3 });
    const addresses = Array.from({ length: 10 }, (_, i) => `127.0.0.1:${100 + i}`);
    for (let port = 100; port < 110; port++) network.ports.set(port, 'silent');
    rig.apply({ name: 'web', backends: addresses, health });
    await clock.advance(4 * 505);
    for (const { atMs } of network.attempts) {
      // Each is under way for 500 ms.
      expect(network.attempts.filter((other) => other.atMs > atMs - 500 && other.atMs <= atMs).length).toBeLessThanOrEqual(3);
    }
    expect(new Set(network.attempts.slice(0, 10).map(({ port }) => port)).size).toBe(10);
  });
});

describe('a name', () => {
  const NAMED = 'app.internal:81';

  it('is probed at its address once it has one', async () => {
    const { clock, network, names } = start();
    rig.apply({ name: 'web', backends: [NAMED], health });
    await clock.advance(100);
    expect(network.attempts).toEqual([]);
    expect([...rig.monitor.pending()]).toEqual([NAMED]);
    names.set('app.internal', { address: '10.0.0.7' });
    rig.monitor.nameChanged('app.internal');
    await clock.advance(2);
    expect(network.attempts).toMatchObject([{ address: '10.0.0.7', port: 81 }]);
    expect(rig.changes()).toEqual(['unknown→up']);
  });

  it.each([{ spec: health }, { spec: null }])('without an address is down, with the reason (health: $spec.type)', async ({ spec }) => {
    const { clock, names, backends } = start();
    rig.apply({ name: 'web', backends: [NAMED], health: spec });
    names.set('app.internal', { failure: 'name does not resolve: ENOTFOUND' });
    rig.monitor.nameChanged('app.internal');
    await clock.advance(2);
    expect(backends.row('web', NAMED).verdict).toBe('down');
    expect(rig.events.at(-1)?.reason).toBe('name does not resolve: ENOTFOUND');
    names.set('app.internal', { address: '10.0.0.7' });
    rig.monitor.nameChanged('app.internal');
    await clock.advance(2000);
    expect(backends.row('web', NAMED).verdict).toBe('up');
  });

  it('is looked up again after a connect that failed, not after one that was accepted', async () => {
    const { clock, names, network } = start();
    names.set('app.internal', { address: '10.0.0.7' });
    rig.apply({ name: 'web', backends: [NAMED], health });
    await clock.advance(2);
    expect(rig.failedConnects).toEqual([]);
    network.ports.set(81, 'ECONNREFUSED');
    await clock.advance(1000);
    expect(rig.failedConnects[0]).toBe('app.internal');
  });
});

describe('a probe during which this process stood still', () => {
  it('is void, and repeated at once', async () => {
    const { clock, network } = start();
    rig.apply({ name: 'web', backends: [ADDRESS], health: healthSpec({ fall: 1 }) });
    await clock.advance(1500);
    const before = network.timesOf(81).length;
    network.ports.set(81, 'silent');
    while (network.timesOf(81).length === before) await clock.advance(1);
    clock.stall(700);
    network.ports.set(81, 'accept');
    await clock.advance(10);
    expect(network.timesOf(81)).toHaveLength(before + 2);
    expect(rig.changes()).toEqual(['unknown→up']);
    expect(rig.monitor.counts.of('web')).toMatchObject({ void: 1, failed: 0 });
  });

  it('counts when it passed', async () => {
    const { clock, network } = start();
    network.ports.set(81, 10);
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    await clock.advance(1);
    clock.stall(700);
    await clock.advance(2);
    expect(rig.changes()).toEqual(['unknown→up']);
  });

  it('passes if its answer was there when its time ended, though the timer ran first', async () => {
    const { clock, network } = start();
    network.ports.set(81, 500);
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    await clock.advance(510);
    expect(rig.changes()).toEqual(['unknown→up']);
  });

  it('counts when the stall took little of its time', async () => {
    const { clock, network } = start();
    network.ports.set(81, 'silent');
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    await clock.advance(100);
    clock.stall(80);
    await clock.advance(500);
    expect(rig.changes()).toEqual(['unknown→down']);
  });

  it('is void as well when this machine lacked what it takes', async () => {
    const { clock, network } = start();
    network.ports.set(81, 'EMFILE');
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    await clock.advance(1100);
    expect(rig.changes()).toEqual([]);
    expect(rig.monitor.counts.of('web').void).toBeGreaterThanOrEqual(3);
    expect(rig.monitor.counts.of('web').void).toBeLessThan(6);
    network.ports.set(81, 'accept');
    await clock.advance(600);
    expect(rig.changes()).toEqual(['unknown→up']);
  });
});

describe('a probe under way', () => {
  it('counts for nothing once its check is gone or disabled', async () => {
    const { clock, network, backends } = start();
    network.ports.set(81, 100);
    network.ports.set(82, 100);
    rig.apply({ name: 'web', backends: [ADDRESS, '127.0.0.1:82'], health });
    await clock.advance(50);
    rig.apply({ name: 'web', backends: [ADDRESS], health });
    backends.row('web', ADDRESS).state = 'disabled';
    rig.monitor.stateChanged(backends.numberOf('web', ADDRESS));
    await clock.advance(200);
    expect(rig.events).toEqual([]);
    expect(network.open).toBe(0);
  });
});

describe('stop', () => {
  it('leaves no timer and no connection', async () => {
    const { clock, network } = start();
    network.ports.set(82, 'silent');
    rig.apply({ name: 'web', backends: [ADDRESS, '127.0.0.1:82'], health });
    await clock.advance(1700);
    rig.monitor.stop();
    await clock.advance(2000);
    expect(clock.pending).toBe(0);
    expect(network.open).toBe(0);
  });
});
