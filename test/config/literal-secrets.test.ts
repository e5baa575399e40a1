import { describe, expect, it } from 'vitest';
import { loadConfigText } from '../../src/config/load-config.ts';

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

  it.each([
    'admin: { token: "${TOKEN}", readToken: none }\n',
    'tier: { name: t, store: "redis://weir:${PASSWORD}@10.0.0.1" }\n',
    'tier: { name: t, store: "redis://10.0.0.1" }\n',
    'pools: { token: { backends: [10.0.0.1:80] } }\n',
  ])('is taken with %j', (more) => {
    expect(problems(more).filter((problem) => problem.includes('is written into'))).toEqual([]);
  });
});
