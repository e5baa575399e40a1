import { once } from 'node:events';
import { get } from 'node:http';
import { connect, createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { AdminServer } from '../../../src/control-plane/admin/admin-server.ts';
import type { BindSpec } from '../../../src/shared/snapshot.ts';
import { AdminWorld, keepingLog } from '../../support/admin-world.ts';
import { freePort } from '../../support/free-port.ts';

const bindOf = (host: string | null, port: number): BindSpec => ({ text: `${host ?? ''}:${port}`, host, port });
let admin: AdminServer | null = null;
let world: AdminWorld;
afterEach(() => admin?.close());

function next(bind: BindSpec, token: string | null = null): NonNullable<AdminWorld['config']> {
  return world.load({ admin: { bind, token, readToken: null } });
}

async function start(bind: BindSpec, token: string | null = null): Promise<number> {
  world = new AdminWorld();
  admin = new AdminServer({ context: world, log: keepingLog(world), bind: null });
  const config = next(bind, token);
  expect(await admin.prepare(config)).toEqual([]);
  admin.commit(config);
  return admin.address()!.port;
}

/** Over a connection of its own: one kept from before says nothing of the address. */
function answers(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const call = get({ port, host, path: '/healthz', agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    call.on('error', () => resolve(false));
  });
}

describe('the address', () => {
  it('is bound beside the present one, and that is given up on commit only', async () => {
    const former = await start(bindOf('127.0.0.1', 0));
    const port = await freePort();
    const config = next(bindOf('127.0.0.1', port));
    expect(await admin!.prepare(config)).toEqual([]);
    expect([await answers(former), await answers(port)]).toEqual([true, true]);
    admin!.commit(config);
    expect([await answers(former), await answers(port)]).toEqual([false, true]);
    expect(admin!.address()).toEqual({ host: '127.0.0.1', port });
  });

  it('stays when the config is refused elsewhere', async () => {
    const former = await start(bindOf('127.0.0.1', 0));
    const port = await freePort();
    expect(await admin!.prepare(next(bindOf('127.0.0.1', port)))).toEqual([]);
    await admin!.abort();
    expect([await answers(former), await answers(port)]).toEqual([true, false]);
  });

  it('stays when the next one is taken, and that refuses the config', async () => {
    const former = await start(bindOf('127.0.0.1', 0));
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as AddressInfo;
    expect(await admin!.prepare(next(bindOf('127.0.0.1', port)))).toEqual([expect.stringMatching(new RegExp(`^admin: cannot listen on 127.0.0.1:${port}: .*EADDRINUSE`))]);
    expect(await answers(former)).toBe(true);
    holder.close();
  });

  it('may widen to every address on the same port, and narrow again', async () => {
    const port = await freePort();
    await start(bindOf('127.0.0.1', port), 'secret');
    const wide = next(bindOf('0.0.0.0', port), 'secret');
    expect(await admin!.prepare(wide)).toEqual([]);
    admin!.commit(wide);
    expect([await answers(port), await answers(port, '127.0.0.2')]).toEqual([true, true]);
    const narrow = next(bindOf('127.0.0.1', port), 'secret');
    expect(await admin!.prepare(narrow)).toEqual([]);
    await admin!.abort();
    expect([await answers(port), await answers(port, '127.0.0.2')]).toEqual([true, true]);
    expect(await admin!.prepare(narrow)).toEqual([]);
    admin!.commit(narrow);
    expect([await answers(port), await answers(port, '127.0.0.2')]).toEqual([true, false]);
  });

  it('off loopback needs a token', async () => {
    await start(bindOf('127.0.0.1', 0));
    for (const host of [null, '0.0.0.0', '::', '192.0.2.1', '128.0.0.1']) {
      expect(await admin!.prepare(next(bindOf(host, 0))), String(host)).toEqual([expect.stringContaining('admin.token')]);
    }
    for (const host of ['127.0.0.1', '127.9.9.9']) {
      expect(await admin!.prepare(next(bindOf(host, 0))), host).toEqual([]);
      await admin!.abort();
    }
  });

  it('of the command line wins over the file’s', async () => {
    world = new AdminWorld();
    const port = await freePort();
    admin = new AdminServer({ context: world, log: keepingLog(world), bind: bindOf('127.0.0.1', port) });
    const config = next(bindOf('127.0.0.1', 1));
    expect(await admin.prepare(config)).toEqual([]);
    admin.commit(config);
    expect(await answers(port)).toBe(true);
  });
});

describe('connections', () => {
  it('are 256 at most; one more is closed at once, and the others go on', async () => {
    const port = await start(bindOf('127.0.0.1', 0));
    const open = await Promise.all(
      Array.from({ length: 256 }, async () => {
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => {});
        await once(socket, 'connect');
        return socket;
      }),
    );
    const extra = connect(port, '127.0.0.1');
    extra.on('error', () => {});
    await once(extra.resume(), 'close');
    open[0]!.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect(String((await once(open[0]!, 'data'))[0])).toMatch(/^HTTP\/1.1 200 /);
    for (const socket of open) socket.destroy();
  });
});

describe('a bug in a route', () => {
  it('is a 500 without its text, and a log line', async () => {
    const port = await start(bindOf('127.0.0.1', 0));
    world.notReadyReasons = () => {
      throw new Error('the inner workings');
    };
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain('inner workings');
    expect(world.logged).toEqual([{ level: 'error', text: 'the admin interface failed to answer' }]);
    expect(await answers(port)).toBe(true);
  });
});
