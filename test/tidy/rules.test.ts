/** The tidy test's own rules: each finds what it is there to find, and leaves alone what is right. */
import { describe, expect, it } from 'vitest';
import { whyNot } from './direction.ts';
import { pathsNamedIn } from './named-paths.ts';
import { bannedWord } from './names.ts';
import { reachableFrom, unregisteredPlugins } from './reachable.ts';
import { functionsOf, importsOf } from './syntax.ts';

describe('names', () => {
  it.each(['src/net/socket-utils.ts', 'PoolManager', 'routeInfo', 'requestData', 'helpers'])('%s says nothing', (name) => {
    expect(bannedWord(name)).not.toBeNull();
  });

  it.each(['src/data-plane/route/route-table.ts', 'dataPlane', 'information', 'metadata', 'workerData'])('%s is fine', (name) => {
    expect(bannedWord(name)).toBeNull();
  });
});

describe('direction', () => {
  it.each([
    ['src/base/clock.ts', 'src/net/dial.ts'],
    ['src/data-plane/route/route-table.ts', 'src/control-plane/health/monitor.ts'],
    ['src/control-plane/admin/admin-context.ts', 'src/data-plane/pipeline.ts'],
    ['src/data-plane/relay/http-relay.ts', 'src/data-plane/balance/registry.ts'],
    ['src/control-plane/health/monitor.ts', 'src/config/compile.ts'],
    ['src/main.ts', 'test/support/golden.ts'],
  ])('%s may not import %s', (from, to) => {
    expect(whyNot(from, to, false)).not.toBeNull();
  });

  it.each([
    ['src/net/dial.ts', 'src/base/clock.ts'],
    ['src/config/compile.ts', 'src/data-plane/balance/registry.ts'],
    ['src/cli/run.ts', 'src/control-plane/admin/admin-context.ts'],
  ])('%s may import %s', (from, to) => {
    expect(whyNot(from, to, false)).toBeNull();
  });

  it('lets types of a shared shape through, and no values', () => {
    expect(whyNot('src/control-plane/rollout/apply.ts', 'src/config/problems.ts', true)).toBeNull();
    expect(whyNot('src/control-plane/rollout/apply.ts', 'src/config/problems.ts', false)).not.toBeNull();
  });
});

describe('paths in prose', () => {
  const named = (text: string, path = 'docs/x.md'): string[] => pathsNamedIn({ path, text }).map((each) => each.path);

  it('are found in links, code spans and comments', () => {
    expect(named('see [that](errors.md#no-route) and `src/a.ts`')).toEqual(['errors.md', 'src/a.ts']);
    expect(named('/** As in docs/a.md. */\nconst path = "docs/b.md"; // and src/c.ts', 'src/x.ts')).toEqual(['docs/a.md', 'src/c.ts']);
  });

  it('are not patterns, addresses or other people’s paths', () => {
    expect(named('src/*.ts, config/NAME.yaml, https://x.org/docs/a, /usr/src/a, dist/src/a, src/{a,b}')).toEqual([]);
  });
});

describe('syntax', () => {
  it('tells imports of types from imports of values, and finds threads', () => {
    const text = `import type { A } from './a.ts';\nimport { b } from './b.ts';\nexport { c } from '../c.ts';\nnew Worker(new URL('./d.ts', import.meta.url));\nvoid import('./e.ts');\nnew URL(\`./f.\${extension}\`, import.meta.url);\n`;
    const edges = importsOf({ path: 'src/x/y.ts', text }).map(({ to, typeOnly, reExport }) => `${to}${typeOnly ? ' type' : ''}${reExport ? ' re-export' : ''}`);
    expect(edges).toEqual(['src/x/a.ts type', 'src/x/b.ts', 'src/c.ts re-export', 'src/x/d.ts', 'src/x/e.ts', 'src/x/f.ts']);
  });

  it('measures functions', () => {
    const [found] = functionsOf({ path: 'x.ts', text: 'function f() {\n  return 1;\n}\n' });
    expect(found).toEqual({ name: 'f', line: 1, lines: 3 });
  });
});

describe('reach', () => {
  const files = [
    { path: 'src/main.ts', text: `import './p/registry.ts';` },
    { path: 'src/p/registry.ts', text: `import { one } from './one.ts';` },
    { path: 'src/p/one.ts', text: 'export const one: ThingDefinition = {};' },
    { path: 'src/p/two.ts', text: 'export const two: ThingDefinition<Options> = {};' },
  ];

  it('finds files no process uses', () => {
    const reached = reachableFrom(files, (path) => path === 'src/main.ts');
    expect(files.map(({ path }) => path).filter((path) => !reached.has(path))).toEqual(['src/p/two.ts']);
  });

  it('finds plug-ins the registry forgot', () => {
    expect(unregisteredPlugins(files)).toEqual(['src/p/two.ts']);
  });
});
