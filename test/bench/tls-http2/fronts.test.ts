/** What the rows of TLS and HTTP/2 ask of the proxies fits their config files, and their clients see what was not done right. */
import { once } from 'node:events';
import { fork, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configOf } from '../../../bench/load/targets.ts';
import { checkTarget } from '../../../bench/tls-http2/check.ts';
import type { Report, Work } from '../../../bench/tls-http2/clients.ts';
import { contendersOf, type Certificate } from '../../../bench/tls-http2/fronts.ts';
import { findRow, rows } from '../../../bench/tls-http2/rows.ts';
import { loadConfigText } from '../../../src/config/load-config.ts';
import { TestCa } from '../../support/test-ca.ts';

const places = { dir: '/bench', accessLog: '/bench/access.log', port: '18080', adminPort: '18081', originPort: '18082' };
const ca = new TestCa();
const issued = ca.issue({ names: ['bench.example'] });
const certificate: Certificate = issued;
afterAll(() => ca.remove());

describe('the rows', () => {
  it('have names of their own', () => {
    expect(new Set(rows.map((row) => row.name)).size).toBe(rows.length);
    expect(() => findRow('tls')).toThrow('no row "tls"; there are: browser');
  });

  it.each([...new Set(rows.map(({ front }) => front))])('%s: every place of a config is filled, and Weir takes its own', (front) => {
    for (const { of, settings } of contendersOf(front, certificate, null)) {
      const text = configOf(of, settings, places);
      expect(text).not.toContain('{{');
      if (of === 'weir') expect(loadConfigText(text, 'weir.yaml').problems.filter(({ severity }) => severity === 'error')).toEqual([]);
    }
  });

  it('take the same Weir from another folder in place of the peers', () => {
    expect(contendersOf('tls', certificate, '/before').map(({ name, settings }) => [name, settings['entry']])).toEqual([['weir', undefined], ['weir again', undefined], ['before', '/before/src/main.ts']]);
  });
});

describe('the clients', () => {
  let clients: ChildProcess;
  beforeAll(() => {
    clients = fork(fileURLToPath(new URL('../../../bench/tls-http2/clients.ts', import.meta.url)), []);
  });
  afterAll(async () => {
    const ended = once(clients, 'exit');
    clients.disconnect();
    await ended;
  });
  const report = async (work: Work): Promise<Report> => {
    clients.send(work);
    return ((await once(clients, 'message')) as [Report])[0];
  };
  const serving = async (options: object): Promise<{ port: number; readonly stop: () => void }> => {
    const acceptor = createServer({ cert: issued.cert, key: issued.key, minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256', ecdhCurve: 'X25519', ALPNProtocols: ['http/1.1'], ...options }, (socket) => {
      socket.on('error', () => {});
      socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\nhello from the origin\n'));
    }).listen(0, '127.0.0.1');
    await once(acceptor, 'listening');
    return { port: (acceptor.address() as AddressInfo).port, stop: () => acceptor.close() };
  };

  it('count full and resumed handshakes, and see one that was not resumed', async () => {
    const { port, stop } = await serving({});
    expect(await report({ kind: 'handshakes', port, count: 32, resumes: false })).toEqual({ done: 32 });
    expect(await report({ kind: 'handshakes', port, count: 32, resumes: true })).toEqual({ done: 32 });
    stop();
    const other = await serving({});
    expect(await report({ kind: 'handshakes', port: other.port, count: 16, resumes: true })).toEqual({ failure: 'a session was not taken up again' });
    other.stop();
  });

  it('see another cipher or group', async () => {
    for (const options of [{ ciphers: 'TLS_AES_256_GCM_SHA384' }, { ecdhCurve: 'P-256' }]) {
      const { port, stop } = await serving(options);
      const said = await report({ kind: 'handshakes', port, count: 16, resumes: false });
      expect('failure' in said && said.failure).toMatch(/agreed on TLSv1.3|handshake failure/);
      stop();
    }
  });

  it('a proxy that adds no fields for the backend is found before it is measured', async () => {
    const { port, stop } = await serving({});
    await expect(checkTarget('it', port, findRow('tls-small'))).rejects.toThrow('it sends the backend');
    stop();
  });
});
