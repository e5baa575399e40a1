import { describe, expect, it } from 'vitest';
import { CheckIdentities, digestOf } from '../../../src/control-plane/health/check-identity.ts';
import type { HealthSpec } from '../../../src/shared/snapshot.ts';
import { healthSpec } from '../../support/backend-rig.ts';
import { MonitorRig } from '../../support/monitor-rig.ts';

const secret = (password: string, more: Partial<HealthSpec> = {}): HealthSpec => healthSpec({ options: { send: '', expect: '', user: 'weir', password }, hidden: ['password'], ...more });
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
});
