import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { resolveRunOptions, UsageError } from '../../../src/cli/run/run-options.ts';

const alone = { store: null, zone: '', tierKeyFile: null, advertise: [] };

test('without flags', () => {
  const options = resolveRunOptions('conf/weir.yaml', { node: 'a' }, { STATE_DIRECTORY: '/s' });
  expect(options).toEqual({ file: 'conf/weir.yaml', node: 'a', adminBind: null, stateDir: '/s', workers: availableParallelism(), pluginsDir: resolve('conf'), pluginsGiven: false, watch: true, ...alone });
});

test('with flags', () => {
  const options = resolveRunOptions('weir.yaml', { node: 'a', admin: ':9901', stateDir: '/t', workers: '3', plugins: '/p', watch: false }, {});
  expect(options).toEqual({ file: 'weir.yaml', node: 'a', adminBind: ':9901', stateDir: '/t', workers: 3, pluginsDir: '/p', pluginsGiven: true, watch: false, ...alone });
});

test('with those of a tier', () => {
  const flags = { node: 'a', store: 'redis://r', zone: 'east', tierKey: 'k', advertise: '10.0.0.1, ::1' };
  expect(resolveRunOptions('weir.yaml', flags, {})).toMatchObject({ store: 'redis://r', zone: 'east', tierKeyFile: resolve('k'), advertise: ['10.0.0.1', '::1'] });
});

test.each([{ node: 'a', zone: 'a b' }, { node: 'a', advertise: 'web.example.com' }, { node: 'a/b' }, { node: '' }, { node: 'x'.repeat(64) }, { workers: '0' }, { workers: '-1' }, { workers: '1.5' }, { workers: '2000' }, { workers: '' }])('%j is wrong usage', (flags) => {
  expect(() => resolveRunOptions('weir.yaml', flags, {})).toThrow(UsageError);
});
