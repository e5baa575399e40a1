import { afterAll, describe, expect, it } from 'vitest';
import { CheckIdentities, digestOf } from '../../../src/control-plane/health/check-identity.ts';
import type { BackendTlsSpec, HealthSpec } from '../../../src/shared/snapshot.ts';
import { healthSpec } from '../../support/backend-rig.ts';
import { MonitorRig } from '../../support/monitor-rig.ts';
import { TestCa } from '../../support/test-ca.ts';

const secret = (password: string, more: Partial<HealthSpec> = {}): HealthSpec => healthSpec({ options: { send: '', expect: '', user: 'weir', password }, hidden: ['password'], ...more });
const authority = new TestCa();
const [first, second] = [authority.issue(), authority.issue()];
const tls = ({ cert, key }: { cert: string | null; key: string | null }): BackendTlsSpec => ({ ca: authority.ca, serverName: 'db', cert, key, verify: true, minVersion: 'TLSv1.2' });
afterAll(() => authority.remove());

const digests = (...pools: readonly (readonly HealthSpec[])[]): string[][] => {
  const identities = new CheckIdentities();
  return pools.map((health) => identities.of({ health, proxyProtocol: 'off' }).map(({ digest }) => digest));
};

describe('the name of a check', () => {
  it('holds all that a probe depends on', () => {
    const base = healthSpec({ options: { a: 1 } });
    const others = [{ ...base, port: 1 }, { ...base, role: 'primary' as const }, { ...base, timeoutMs: 1 }, { ...base, options: { a: 2 } }, { ...base, type: 'http' }];
    const all = [digestOf(base), digestOf(base, { proxyProtocol: 'v1' }), digestOf(base, { proxyProtocol: 'v2' }), ...others.map((spec) => digestOf(spec))];
    expect(new Set(all).size).toBe(8);
  });

  it('is the same for a spec without the keys that came later', () => {
    // Members of two releases that run the same config must probe the same checks.
    expect(digestOf(healthSpec({ options: {} }))).toBe('a573S3s75Q_oBtSe');
  });

  it('holds nothing of a secret, but another secret in the same config is another check', () => {
    expect(digestOf(secret('one'))).toBe(digestOf(secret('two')));
    expect(digestOf(secret('one'))).not.toBe(digestOf(secret('one', { options: { user: 'other', password: 'one' } })));
    const digest = digestOf(secret('x'));
    expect(digests([secret('one')], [secret('two'), secret('one')], [secret('two')])).toEqual([[digest], [`${digest}#2`, digest], [`${digest}#2`]]);
  });

  it('says that a certificate of ours is shown, not which: proxies with one each share a verdict', () => {
    const health = [healthSpec()];
    const named = (shown: BackendTlsSpec, identities = new CheckIdentities()): string => identities.of({ health, proxyProtocol: 'off', tls: shown })[0]!.digest;
    expect(named(tls(first))).toBe(named(tls(second)));
    expect(named(tls(first))).not.toBe(named(tls({ cert: null, key: null })));
    // Pools of one config that show another are probed apart.
    const both = new CheckIdentities();
    expect([named(tls(first), both), named(tls(second), both)]).toEqual([named(tls(first)), `${named(tls(first))}#2`]);
  });
});

describe('a changed secret', () => {
  it('has its check probed at once with it, and keeps the verdict', async () => {
    const rig = new MonitorRig();
    const address = '127.0.0.1:81';
    rig.apply({ name: 'web', backends: [address], health: secret('one', { intervalMs: 60_000 }) });
    await rig.clock.advance(1000);
    const tried = rig.network.timesOf(81).length;
    rig.network.ports.set(81, 100);
    rig.apply({ name: 'web', backends: [address], health: secret('two', { intervalMs: 60_000 }) });
    await rig.clock.advance(10);
    expect(rig.network.timesOf(81)).toHaveLength(tried + 1);
    expect(rig.backends.row('web', address).verdict).toBe('up');
    expect(rig.monitor.checksOf(rig.backends.numberOf('web', address))[0]!.check.plan?.spec.options['password']).toBe('two');
    rig.monitor.stop();
  });

  it('so has one whose pool shows another certificate', () => {
    const rig = new MonitorRig();
    const pool = { name: 'web', backends: ['127.0.0.1:81'], health: healthSpec({ intervalMs: 60_000 }) };
    const shown = (): string | null | undefined => rig.monitor.checksOf(rig.backends.numberOf('web', '127.0.0.1:81'))[0]!.check.plan?.secure?.spec.cert;
    rig.apply({ ...pool, tls: tls(first) });
    expect(shown()).toBe(first.cert);
    const { check } = rig.monitor.checksOf(rig.backends.numberOf('web', '127.0.0.1:81'))[0]!;
    rig.apply({ ...pool, tls: tls(second) });
    expect(shown()).toBe(second.cert);
    expect(rig.monitor.checksOf(rig.backends.numberOf('web', '127.0.0.1:81'))[0]!.check).toBe(check);
    rig.monitor.stop();
  });
});
