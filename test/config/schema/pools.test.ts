import { describe, expect, it } from 'vitest';
import { balancers } from '../../../src/data-plane/balance/registry.ts';
import { poolOf, problemsOf, withPool } from '../../support/load-whole.ts';

describe('a pool', () => {
  it('has the documented defaults', () => {
    expect(poolOf('')).toMatchObject({
      name: 'web',
      protocol: 'http1',
      algorithm: { name: 'round-robin', module: null, options: {}, key: { kind: 'client-ip', name: '' } },
      health: [],
      outlier: { consecutiveFailures: 5, ejectForMs: 30_000, maxEjectedShare: 0.5 },
      panicShare: 0.5,
      connections: { perBackend: 0, connectTimeoutMs: 2000, idleMs: 4000 },
    });
  });

  const ready = { weight: 1, priority: 0, state: 'ready' };
  it.each([
    ['10.0.0.1:80', { address: '10.0.0.1:80', host: '10.0.0.1', port: 80, named: false, ...ready }],
    ['"[0:0::1]:80"', { address: '[0:0::1]:80', host: '::1', port: 80, named: false, ...ready }],
    ['App.Internal:8080', { address: 'App.Internal:8080', host: 'app.internal', port: 8080, named: true, ...ready }],
    ['{ address: a:1, weight: 0, priority: 2, state: drain }', { address: 'a:1', host: 'a', port: 1, named: true, weight: 0, priority: 2, state: 'drain' }],
    ['{ address: a:1, weight: 1000, state: disabled }', { address: 'a:1', host: 'a', port: 1, named: true, weight: 1000, priority: 0, state: 'disabled' }],
  ])('backend %s', (written, backend) => {
    expect(poolOf(`backends: [${written}]`).backends).toEqual([backend]);
  });

  it('takes off and false for no ejection, and a threshold of 0 % for no panic', () => {
    expect(poolOf('outlier: off, panicThreshold: 0%')).toMatchObject({ outlier: null, panicShare: 0 });
    expect(poolOf('outlier: false').outlier).toBeNull();
    expect(poolOf('outlier: { ejectFor: 1m, maxEjected: 10% }').outlier).toEqual({ consecutiveFailures: 5, ejectForMs: 60_000, maxEjectedShare: 0.1 });
  });

  it('takes what is the only value so far', () => {
    expect(problemsOf(withPool('protocol: http1, proxyProtocol: off, onDown: keep, fence: false'))).toEqual([]);
  });

  it('refuses one address twice, in whatever spelling', () => {
    expect(problemsOf(withPool('backends: [a:80, A:80]'))).toEqual(['error: pools.web.backends[1]: `A:80` is the address of backends[0] too']);
    expect(problemsOf(withPool('backends: [a:80, a:81, b:80]'))).toEqual([]);
  });
});

describe('algorithm', () => {
  it.each(balancers.map(({ name }) => name))('%s is known by its name alone', (name) => {
    const { algorithm } = poolOf(`algorithm: ${name}`);
    expect(algorithm).toMatchObject({ name, module: null });
    expect(poolOf(`algorithm: { name: ${name} }`).algorithm).toEqual(algorithm);
  });

  it.each([
    ['power-of-two', { choices: 2 }],
    ['ewma', { decay: 10_000 }],
    ['ring-hash', { points: 160 }],
    ['maglev', { tableSize: 65_537 }],
    ['source-hash', { tableSize: 65_537 }],
    ['round-robin', {}],
  ])('%s has the documented options', (name, options) => {
    expect(poolOf(`algorithm: ${name}`).algorithm.options).toEqual(options);
  });

  it.each([
    ['client-ip', { kind: 'client-ip', name: '' }],
    ['path', { kind: 'path', name: '' }],
    ['header:X-User', { kind: 'header', name: 'x-user' }],
    ['cookie:Id', { kind: 'cookie', name: 'Id' }],
    ['query:Q', { kind: 'query', name: 'Q' }],
  ])('key %s', (key, spec) => {
    expect(poolOf(`algorithm: { name: ring-hash, key: "${key}", points: 7 }`).algorithm).toEqual({ name: 'ring-hash', module: null, options: { points: 7 }, key: spec });
  });

  it('source-hash has no key of its own', () => {
    expect(problemsOf(withPool('algorithm: { name: source-hash, key: path }'))).toEqual(['error: pools.web.algorithm: unknown key `key`']);
  });

  it('passes the options of an own module on as written', () => {
    const folder = import.meta.dirname;
    const own = { name: 'module', module: import.meta.filename, options: { a: 1, b: ['x'] }, key: { kind: 'path', name: '' } };
    const text = withPool('algorithm: { name: ./test/config/schema/pools.test.ts, key: path, a: 1, b: [x] }');
    expect(problemsOf(text, { pluginsDir: folder })).toEqual([]);
    expect(poolOf('algorithm: { name: ./test/config/schema/pools.test.ts, key: path, a: 1, b: [x] }').algorithm).toEqual(own);
  });

  it('loads no module from elsewhere than the folder for it', () => {
    const text = withPool('algorithm: ./test/config/schema/pools.test.ts');
    expect(problemsOf(text, { pluginsDir: '/usr' })).toHaveLength(1);
    expect(problemsOf(text, { pluginsDir: null })).toHaveLength(1);
  });
});

describe('health', () => {
  it('has the documented defaults', () => {
    expect(poolOf('health: {}').health[0]).toMatchObject({ type: 'http', port: null, intervalMs: 1000, timeoutMs: 500, rise: 2, fall: 3, fastIntervalMs: 500 });
    expect(poolOf('health: {}').health[0]?.options).toMatchObject({ path: '/', method: 'GET', headers: {}, body: '' });
  });

  it('is short for a type', () => {
    expect(poolOf('health: tcp').health).toEqual([{ type: 'tcp', options: { send: '', expect: '' }, hidden: [], role: null, port: null, intervalMs: 1000, timeoutMs: 500, rise: 2, fall: 3, fastIntervalMs: 500 }]);
    expect(poolOf('health: http').health).toEqual(poolOf('health: {}').health);
  });

  it('takes each key', () => {
    const [health] = poolOf('health: { type: http, path: /up, method: HEAD, host: a.example, headers: { x-a: b }, expect: [200, 204-206], port: 81, interval: 5s, timeout: 1s, rise: 1, fall: 1, fastInterval: 50ms }').health;
    expect(health).toMatchObject({ port: 81, intervalMs: 5000, timeoutMs: 1000, rise: 1, fall: 1, fastIntervalMs: 50 });
    expect(health?.options).toMatchObject({ path: '/up', method: 'HEAD', host: 'a.example', headers: { 'x-a': 'b' } });
    expect(Object.keys(health!.options)).not.toContain('interval');
  });
});
