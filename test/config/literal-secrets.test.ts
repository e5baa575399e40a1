import { describe, expect, it } from 'vitest';
import type { ZodType } from 'zod';
import { loadConfigText } from '../../src/config/load-config.ts';
import { probeDefinitions } from '../../src/control-plane/health/registry.ts';
import { isSecretOption } from '../../src/control-plane/health/secret-option.ts';

const GOOD = 'listeners: { web: { bind: ":8080", routes: [{ respond: { status: 200, body: "" } }] } }\n';
const environment = { PASSWORD: 's3cret', TOKEN: 'abc' };

function problems(more: string, published = true): string[] {
  return loadConfigText(GOOD + more, 'weir.yaml', { environment, published }).problems.map(({ line, message }) => `${line}: ${message}`);
}

describe('a config that is published', () => {
  it.each([
    ['admin: { token: abc }\n', 'admin.token'],
    ['admin: { token: "${TOKEN}", readToken: "abc" }\n', 'admin.readToken'],
    ['tier: { name: t, store: "redis://weir:s3cret@10.0.0.1" }\n', 'tier.store'],
    ['tier: { name: t, store: "redis://:s3cret@${HOST:-10.0.0.1}" }\n', 'tier.store'],
  ])('is refused for %j', (more, key) => {
    const found = problems(more);
    expect(found).toEqual([`2: ${key} is written into the config, which all who can read the store would see`]);
    expect(found.join()).not.toContain('s3cret');
    expect(problems(more, false)).toEqual([]);
  });

  it.each(['{ type: postgres, password: s3cret }', '[tcp, { type: redis, password: "s3cret" }]'])('is refused for a password of a probe: %s', (health) => {
    const found = problems(`pools: { web: { backends: [10.0.0.1:80], health: ${health} } }\n`);
    expect(found).toContain('2: pools.health.password is written into the config, which all who can read the store would see');
    expect(found.join()).not.toContain('s3cret');
  });

  it('has every secret of a probe under a key that is known for one', () => {
    const keys = probeDefinitions.flatMap(({ options }) => Object.entries(options.shape).filter(([, option]) => isSecretOption(option as ZodType)).map(([key]) => key));
    expect(new Set(keys)).toEqual(new Set(['password']));
  });

  it.each([
    'admin: { token: "${TOKEN}", readToken: none }\n',
    'tier: { name: t, store: "redis://weir:${PASSWORD}@10.0.0.1" }\n',
    'tier: { name: t, store: "redis://10.0.0.1" }\n',
    'pools: { token: { backends: [10.0.0.1:80] } }\n',
    'pools: { web: { backends: [10.0.0.1:80], health: { type: postgres, password: "${PASSWORD}" } } }\n',
    'pools: { web: { backends: [10.0.0.1:80], health: [{ type: postgres, password: "file:password" }] } }\n',
  ])('is taken with %j', (more) => {
    expect(problems(more).filter((problem) => problem.includes('is written into'))).toEqual([]);
  });
});
