import { expect, it } from 'vitest';
import { hideSecrets } from '../../src/observe/hide-secrets.ts';

it('hides what is named like a secret, on three levels, and changes nothing that it is given', () => {
  const given = { token: 'a', list: [{ password: 'b', port: 1 }], admin: { readToken: 'c', deep: { secret: 'd', deeper: { secret: 'e' } } }, path: '/' };
  const before = structuredClone(given);
  expect(hideSecrets(given)).toEqual({
    token: '(hidden)',
    list: { 0: { password: '(hidden)', port: 1 } },
    admin: { readToken: '(hidden)', deep: { secret: '(hidden)', deeper: { secret: 'e' } } },
    path: '/',
  });
  expect(given).toEqual(before);
});

it('gives back what holds no secret', () => {
  const given = { pool: 'web', reason: null, backends: [{ address: '10.0.0.1:80' }] };
  expect(hideSecrets(given)).toBe(given);
});
