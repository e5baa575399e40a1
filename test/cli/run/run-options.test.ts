import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { resolveRunOptions, UsageError } from '../../../src/cli/run/run-options.ts';

test('without flags', () => {
  const options = resolveRunOptions('conf/weir.yaml', { node: 'a' }, { STATE_DIRECTORY: '/s' });
  expect(options).toEqual({ file: 'conf/weir.yaml', node: 'a', adminBind: null, stateDir: '/s', workers: availableParallelism(), pluginsDir: resolve('conf'), watch: true });
});

test('with flags', () => {
  const options = resolveRunOptions('weir.yaml', { node: 'a', admin: ':9901', stateDir: '/t', workers: '3', plugins: '/p', watch: false }, {});
  expect(options).toEqual({ file: 'weir.yaml', node: 'a', adminBind: ':9901', stateDir: '/t', workers: 3, pluginsDir: '/p', watch: false });
});

test.each([{ node: 'a/b' }, { node: '' }, { node: 'x'.repeat(64) }, { workers: '0' }, { workers: '-1' }, { workers: '1.5' }, { workers: '2000' }, { workers: '' }])('%j is wrong usage', (flags) => {
  expect(() => resolveRunOptions('weir.yaml', flags, {})).toThrow(UsageError);
});
