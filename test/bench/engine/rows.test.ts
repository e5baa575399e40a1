/** The rows of the engine's table: what is asked of the proxies fits their config files. */
import { describe, expect, it } from 'vitest';
import { manyBackends, manyRoutes } from '../../../bench/engine/growth-rows.ts';
import { bytesCarried, findRow, paced, rows } from '../../../bench/engine/rows.ts';
import { AGAIN } from '../../../bench/engine/verdict.ts';
import { configOf, filled } from '../../../bench/load/targets.ts';
import { loadConfigText } from '../../../src/config/load-config.ts';

const places = { dir: '/bench', accessLog: '/bench/access.log', port: '18080', adminPort: '18081', originPort: '18082' };

describe('the rows', () => {
  it('have names of their own, and so have the contenders of each', () => {
    expect(new Set(rows.map((row) => row.name)).size).toBe(rows.length);
    for (const row of rows) expect(new Set(row.contenders.map(({ name }) => name)).size, row.name).toBe(row.contenders.length);
  });

  it('leave the ending of a second process free', () => {
    for (const row of rows) for (const { name } of row.contenders) expect(name.endsWith(AGAIN)).toBe(false);
  });

  it.each(rows.map((row) => [row.name, row] as const))('%s: every place of a config is filled, and Weir takes its own', (_name, row) => {
    for (const contender of row.contenders) {
      const text = configOf(contender.of, contender.settings, places);
      expect(text).not.toContain('{{');
      if (contender.of !== 'weir') continue;
      const { problems } = loadConfigText(text, 'weir.yaml');
      expect(problems.filter(({ severity }) => severity === 'error').map(({ message }) => message)).toEqual([]);
    }
  });

  it('hold the settings of each peer apart where it has two', () => {
    const configs = findRow('upload-1m').contenders.map(({ of, settings }) => configOf(of, settings, places));
    expect(configs.filter((text) => text.includes('proxy_request_buffering off'))).toHaveLength(1);
    expect(configs.filter((text) => text.includes('proxy_request_buffering on'))).toHaveLength(1);
    expect(configs.filter((text) => /^ {4}option splice-auto$/m.test(text))).toHaveLength(1);
    expect(configs.filter((text) => /^ {4}no option splice-auto$/m.test(text))).toHaveLength(1);
  });

  it('log in all three where the log is part of the work', () => {
    const [weir, nginx, haproxy] = findRow('browser').contenders.map(({ of, settings }) => configOf(of, settings, places));
    expect(weir).toContain('log: { access: { format: json, to: "/bench/access.log" } }');
    expect(nginx).toContain('access_log /bench/access.log lines buffer=64k flush=1s;');
    expect(haproxy).toContain('log stdout format raw local0');
  });
});

describe('a setting that no config has a place for', () => {
  it('is refused, or a row would silently measure the defaults', () => {
    expect(() => configOf('nginx', { bufferring: 'off' }, places)).toThrow('no place for bufferring in nginx.conf');
    expect(() => filled('{{nothing}}', {})).toThrow('no value for {{nothing}}');
  });

  it('may hold places itself', () => {
    expect(filled('to {{file}};', { file: '{{dir}}/log', dir: '/bench' })).toBe('to /bench/log;');
  });
});

describe('the large ends', () => {
  it('have 10,000 backends with addresses of their own', () => {
    const addresses = manyBackends(10_000).split('\n').slice(2);
    expect(addresses).toHaveLength(10_000);
    expect(new Set(addresses).size).toBe(10_000);
  });

  it('have 10,000 routes of which the last one matches', () => {
    const routes = manyRoutes(10_000).split('\n').slice(1);
    expect(routes).toHaveLength(10_000);
    expect(routes.at(-1)).toContain('path: / }');
    expect(routes.filter((route) => route.includes('path: / }'))).toHaveLength(1);
  });
});

describe('a rate for all rows', () => {
  it('is for kept connections with requests: the others stay as they are', () => {
    const drives = paced(rows, 500).map((row) => [row.name, row.contenders[0]!.drive] as const);
    expect(Object.fromEntries(drives)).toMatchObject({
      small: { tool: 'paced', ratePerS: 500 },
      'fixed-rate': { tool: 'paced', ratePerS: 500 },
      connect: { tool: 'closed' },
      websocket: { tool: 'websocket' },
      'idle-memory': { tool: 'hold' },
    });
  });
});

describe('bytes carried', () => {
  it('are those of the larger direction', () => {
    expect(bytesCarried(findRow('upload-1m').contenders[0]!.scenario)).toBe(2 ** 20);
    expect(bytesCarried(findRow('answer-64k').contenders[0]!.scenario)).toBe(2 ** 16);
  });
});
