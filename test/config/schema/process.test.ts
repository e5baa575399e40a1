import { describe, expect, it } from 'vitest';
import { problemsOf, snapshotOf, withTop } from '../../support/load-whole.ts';

describe('tier, drain, admin and log', () => {
  it('have the documented defaults', () => {
    expect(snapshotOf('{}')).toMatchObject({
      listeners: [],
      pools: [],
      tier: { name: 'default', store: 'none' },
      drain: { delayMs: 5000, timeoutMs: 20_000, removedMs: 600_000 },
      admin: { bind: { host: '127.0.0.1', port: 9900 }, token: null, readToken: null },
      log: { level: 'info', format: 'json', access: { format: 'off', to: 'stdout' } },
    });
  });

  it.each([
    ['heartbeat: 1s, lease: 2999ms', 1],
    ['heartbeat: 1s, lease: 3s', 0],
    ['heartbeat: 100ms, lease: 300ms, probers: 5', 0],
    ['probers: 4', 1],
    ['name: "a b"', 1],
  ])('tier: { %s } has %i problems', (keys, count) => {
    expect(problemsOf(withTop(`tier: { ${keys} }`))).toHaveLength(count);
  });

  it('log is text on a terminal, unless the file says otherwise', () => {
    expect(snapshotOf('{}', { stdoutIsTerminal: true }).log.format).toBe('text');
    expect(snapshotOf('log: { format: json }', { stdoutIsTerminal: true }).log.format).toBe('json');
    expect(snapshotOf('log: { format: text }').log.format).toBe('text');
  });

  it('the access log is off, json, common or combined, to stdout or a file beside the config', () => {
    expect(snapshotOf('log: { access: combined }').log.access).toEqual({ format: 'combined', to: 'stdout' });
    expect(snapshotOf('log: { access: { format: common, to: logs/a.log } }').log.access).toEqual({ format: 'common', to: `${process.cwd()}/logs/a.log` });
    expect(snapshotOf('log: { access: { format: false } }').log.access.format).toBe('off');
    expect(snapshotOf('log: { access: off }').log.access.format).toBe('off');
  });

  it.each(['":9900"', '"0.0.0.0:9900"', '10.0.0.1:9900', '"[::]:9900"'])('admin at %s needs a token', (bind) => {
    expect(problemsOf(withTop(`admin: { bind: ${bind} }`))).toEqual([expect.stringContaining('is not a loopback address, and there is no token')]);
    expect(problemsOf(withTop(`admin: { bind: ${bind}, token: abc }`))).toEqual([]);
    expect(problemsOf(withTop(`admin: { bind: ${bind}, readToken: abc }`))).toHaveLength(1);
  });

  it.each(['127.0.0.1:1', '127.1.2.3:0', '"[::1]:9900"'])('admin at %s needs none', (bind) => {
    expect(problemsOf(withTop(`admin: { bind: ${bind} }`))).toEqual([]);
  });

  it('the flag --admin counts instead of admin.bind, and is held to the same rule', () => {
    expect(snapshotOf(withTop('admin: { bind: ":9900" }'), { adminBind: '127.0.0.1:9901' }).admin.bind).toEqual({ text: '127.0.0.1:9901', host: '127.0.0.1', port: 9901 });
    expect(problemsOf(withTop(''), { adminBind: '0.0.0.0:9901' })).toEqual([expect.stringContaining('there is no token')]);
    expect(problemsOf(withTop(''), { adminBind: 'nonsense' })).toEqual([expect.stringContaining('--admin `nonsense` has no port')]);
    expect(problemsOf(withTop(''), { adminBind: '127.0.0.1:8080' })).toEqual([expect.stringContaining('overlaps')]);
  });

  it('a drain may have no limit', () => {
    expect(snapshotOf('drain: { delay: 0, timeout: 0, removed: 1d }').drain).toEqual({ delayMs: 0, timeoutMs: 0, removedMs: 86_400_000 });
  });
});
