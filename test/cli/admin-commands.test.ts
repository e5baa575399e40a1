import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTcp, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommandOutput } from '../../src/cli/admin-client.ts';
import { drainCommand, undrainCommand } from '../../src/cli/drain.ts';
import { statusCommand } from '../../src/cli/status.ts';
import { topCommand, type Terminal } from '../../src/cli/top.ts';
import { AdminWorld, startAdmin, type StartedAdmin } from '../support/admin-world.ts';
import { plainBackend, plainPool } from '../support/plain-snapshot.ts';

const bind = { text: '127.0.0.1:0', host: '127.0.0.1', port: 0 };
const V6 = '[::1]:8080';
let world: AdminWorld;
let started: StartedAdmin;
let folder: string;
let tokenFile: string;

beforeEach(async () => {
  const web = { ...plainPool('web', ['10.0.0.1:80', V6]), backends: [plainBackend('10.0.0.1:80'), { ...plainBackend('10.0.0.2:80'), state: 'drain' as const }, { ...plainBackend('x:1'), address: V6 }] };
  world = new AdminWorld({ snapshot: { pools: [web], admin: { bind, token: 'secret', readToken: 'reader' } } });
  started = await startAdmin(world);
  folder = mkdtempSync(join(tmpdir(), 'weir-cli-'));
  tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, 'secret\n');
});
afterEach(async () => {
  await started.close();
  rmSync(folder, { recursive: true });
});

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
async function ran(run: (output: CommandOutput) => Promise<number>): Promise<Ran> {
  let out = '';
  let err = '';
  const code = await run({ stdout: { write: (text) => (out += text) }, stderr: { write: (text) => (err += text) } });
  return { code, out, err };
}
const flags = (): { admin: string; tokenFile: string } => ({ admin: started.url, tokenFile });

describe('weir status', () => {
  it('prints a table, or the answer itself', async () => {
    const table = await ran((output) => statusCommand(flags(), output));
    expect([table.code, table.err]).toEqual([0, '']);
    expect(table.out).toMatch(/^proxy-a: ready · config 1 /);
    const json = await ran((output) => statusCommand({ ...flags(), json: true }, output));
    expect(JSON.parse(json.out)).toMatchObject({ node: 'proxy-a', pools: { web: { counts: { total: 3 } } } });
  });

  it('takes an address as weir run does', async () => {
    for (const admin of [`127.0.0.1:${started.port}`, `:${started.port}`, `0.0.0.0:${started.port}`, `http://localhost:${started.port}/`]) {
      expect((await ran((output) => statusCommand({ admin, tokenFile }, output))).code, admin).toBe(0);
    }
  });

  it('says what to do when nobody answers', async () => {
    const free = createTcp().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port } = free.address() as AddressInfo;
    free.close();
    await once(free, 'close');
    expect(await ran((output) => statusCommand({ admin: `127.0.0.1:${port}` }, output))).toEqual({
      code: 1,
      out: '',
      err: `weir status: no proxy answers at http://127.0.0.1:${port} (connection refused); is it running, and is --admin right?\n`,
    });
  });

  it('says when something else answers', async () => {
    const other = createServer((_request, response) => response.end('<html>hello</html>')).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const result = await ran((output) => statusCommand({ admin: `127.0.0.1:${(other.address() as AddressInfo).port}` }, output));
    expect(result).toMatchObject({ code: 1, err: expect.stringContaining('is not a proxy') });
    other.closeAllConnections();
    other.close();
  });

  it('says that a token is needed', async () => {
    expect(await ran((output) => statusCommand({ admin: started.url }, output))).toMatchObject({ code: 1, err: expect.stringMatching(/token is needed.*--token-file/) });
  });

  it.each([
    ['--admin', () => ({ admin: 'http://' })],
    ['--admin', () => ({ admin: 'host:port' })],
    ['--token-file', () => ({ tokenFile: join(folder, 'absent') })],
    ['--token-file', () => ({ tokenFile: folder })],
  ])('takes no wrong %s', async (name, wrong) => {
    expect(await ran((output) => statusCommand(wrong(), output))).toMatchObject({ code: 2, err: expect.stringContaining(name) });
  });
});

describe('weir drain', () => {
  it('drains this proxy, and undrain takes it back', async () => {
    expect(await ran((output) => drainCommand(undefined, flags(), output))).toEqual({ code: 0, out: 'this proxy is draining\n', err: '' });
    expect(world.proxyState).toBe('draining');
    expect(await ran((output) => undrainCommand(undefined, flags(), output))).toEqual({ code: 0, out: 'this proxy is ready\n', err: '' });
  });

  it('drains a backend, disables it, weighs it, and undrain puts it back', async () => {
    const drained = await ran((output) => drainCommand(`web/${V6}`, { ...flags(), reason: 'disk swap' }, output));
    expect(drained).toEqual({ code: 0, out: `web/${V6}: drain, weight 1, 0 in flight\n`, err: '' });
    expect(world.notes.get(2)!.reason).toBe('disk swap');
    expect((await ran((output) => drainCommand(`web/${V6}`, { ...flags(), state: 'disabled' }, output))).out).toContain(': disabled,');
    expect((await ran((output) => drainCommand('web/10.0.0.1:80', { ...flags(), weight: '5' }, output))).out).toContain(': ready, weight 5,');
    const back = await ran((output) => undrainCommand(`web/${V6}`, { ...flags(), json: true }, output));
    expect(JSON.parse(back.out)).toMatchObject({ state: 'ready', weight: 1 });
  });

  it('tells why it was refused', async () => {
    expect(await ran((output) => undrainCommand('web/10.0.0.2:80', flags(), output))).toMatchObject({ code: 1, err: expect.stringContaining('config file says state: drain') });
    expect(await ran((output) => drainCommand('web/10.9.9.9:80', flags(), output))).toMatchObject({ code: 1, err: expect.stringContaining('no backend') });
    writeFileSync(tokenFile, 'reader');
    expect(await ran((output) => drainCommand(undefined, flags(), output))).toMatchObject({ code: 1, err: expect.stringContaining('only read') });
    expect(world.proxyState).toBe('ready');
  });

  it.each<[string | undefined, Record<string, string>]>([
    ['proxy-b', { state: 'disabled' }],
    ['web/', {}],
    ['/10.0.0.1:80', {}],
    ['web/10.0.0.1:80', { state: 'ready' }],
    ['web/10.0.0.1:80', { weight: '1001' }],
    ['web/10.0.0.1:80', { weight: 'x' }],
    [undefined, { state: 'disabled' }],
  ])('is wrong usage: %s %j', async (target, wrong) => {
    expect((await ran((output) => drainCommand(target, { ...flags(), ...wrong }, output))).code).toBe(2);
    expect(world.proxyState).toBe('ready');
  });
});

describe('weir top', () => {
  /** A terminal that a test types on. */
  function terminal(isTTY: boolean): Terminal & { out: string; err: string; keys: EventEmitter; painted: EventEmitter } {
    const keys = new EventEmitter();
    const painted = new EventEmitter();
    const term = {
      out: '',
      err: '',
      keys,
      painted,
      stdout: { isTTY, rows: 30, columns: 100, write: (text: string) => void ((term.out += text), painted.emit('painted')) },
      stderr: { write: (text: string) => void (term.err += text) },
      stdin: { isTTY, setRawMode: () => {}, resume: () => {}, pause: () => {}, on: (_event: 'data', run: (typed: Buffer) => void) => keys.on('data', run) },
    };
    return term;
  }

  it('paints on the second screen until q, and leaves it', async () => {
    const term = terminal(true);
    const ended = topCommand(flags(), term);
    while (!term.out.includes('web/10.0.0.1:80')) await once(term.painted, 'painted');
    term.keys.emit('data', Buffer.from('x'));
    term.keys.emit('data', Buffer.from('q'));
    expect(await ended).toBe(0);
    expect(term.out.startsWith('\x1b[?1049h')).toBe(true);
    expect(term.out.endsWith('\x1b[?1049l')).toBe(true);
  });

  it('goes on when the proxy stops answering, and says so', async () => {
    const term = terminal(true);
    const ended = topCommand(flags(), term);
    await once(term.painted, 'painted');
    await started.close();
    while (!term.out.includes('no proxy answers')) await once(term.painted, 'painted');
    term.keys.emit('data', Buffer.from('\x03'));
    expect(await ended).toBe(0);
  });

  it('needs a terminal', async () => {
    const term = terminal(false);
    expect(await topCommand(flags(), term)).toBe(2);
    expect([term.out, term.err]).toEqual(['', 'weir top: a terminal is needed; weir status --json is for programs\n']);
  });
});
