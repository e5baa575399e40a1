/** The demo's backends: named processes that live as long as the demo, at the addresses config/demo.yaml names. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { demoBackends } from '../../src/cli/demo/demo-backend.ts';
import { demoPorts } from '../../src/cli/demo/demo-ports.ts';
import { demoConfigFile } from '../../src/cli/demo/start-demo.ts';
import { root } from '../tidy/sources.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function startBackend(name: string, port: number): Promise<{ child: ChildProcess; report: { kind: string; port: number; reason: string } }> {
  const child = fork(join(root, 'src/cli/demo/backend-entry.ts'), [name, String(port)], { stdio: 'pipe' });
  children.push(child);
  const [report] = (await once(child, 'message')) as [{ kind: string; port: number; reason: string }];
  return { child, report };
}

describe('a demo backend', () => {
  it('says its name, its process and what it was asked', async () => {
    const { child, report } = await startBackend('teal', 0);
    const answer = await fetch(`http://127.0.0.1:${report.port}/a/b?c=d`);
    expect(answer.headers.get('x-backend')).toBe('teal');
    expect(await answer.text()).toBe(`teal answers GET /a/b?c=d (pid ${child.pid})\n`);
  });

  it('shows the fields it was sent', async () => {
    const { report } = await startBackend('teal', 0);
    const answer = await fetch(`http://127.0.0.1:${report.port}/headers`, { headers: { 'x-request-id': 'abc' } });
    expect(await answer.text()).toMatch(/^teal was sent:\nGET \/headers HTTP\/1\.1\n[^]*x-request-id: abc\n/);
  });

  it('ends with the process that started it', async () => {
    const { child } = await startBackend('teal', 0);
    const ended = once(child, 'exit');
    child.disconnect();
    expect(await ended).toEqual([0, null]);
  });

  it('outlives the Ctrl-C that reaches its whole process group, since the proxy still drains', async () => {
    const { child, report } = await startBackend('teal', 0);
    child.kill('SIGINT');
    expect((await fetch(`http://127.0.0.1:${report.port}/`)).status).toBe(200);
  });

  it('says why it cannot listen', async () => {
    const first = await startBackend('teal', 0);
    const second = await startBackend('teal', first.report.port);
    expect(second.report).toMatchObject({ kind: 'failed', reason: expect.stringContaining('EADDRINUSE') as string });
    await once(second.child, 'exit');
    expect(second.child.exitCode).toBe(1);
  });
});

it('config/demo.yaml names the addresses of the demo backends, in their order', () => {
  const named = [...readFileSync(demoConfigFile, 'utf8').matchAll(/127\.0\.0\.1:(\d+), .*# (\w+)$/gm)].map((match) => ({ name: match[2], port: Number(match[1]) }));
  expect(named).toEqual(demoBackends);
});

it('config/demo-tier.yaml names them too, unless its environment says otherwise', () => {
  const text = readFileSync(join(root, 'config/demo-tier.yaml'), 'utf8');
  const named = [...text.matchAll(/127\.0\.0\.1:\$\{(\w+)_PORT:-(\d+)\}", .*# (\w+)$/gm)].map(([, variable, port, name]) => ({ variable, name, port: Number(port) }));
  expect(named).toEqual(demoBackends.map(({ name, port }) => ({ variable: name.toUpperCase(), name, port })));
});

it('WEIR_DEMO_PORT_BASE moves all of it', () => {
  const { adminFlag, backends, ...ports } = demoPorts({ WEIR_DEMO_PORT_BASE: '20000' });
  expect({ adminFlag, ports, backends: backends.map(({ port }) => port) }).toEqual({ adminFlag: ' --admin :20010', ports: { web: 20_000, admin: 20_010, redis: 20_020 }, backends: [20_021, 20_022, 20_023] });
  expect(demoPorts({})).toMatchObject({ web: 8080, admin: 9900, redis: 9100, adminFlag: '' });
  for (const base of ['0', 'x', '65535', '-1']) expect(() => demoPorts({ WEIR_DEMO_PORT_BASE: base })).toThrow(/WEIR_DEMO_PORT_BASE=/);
});
