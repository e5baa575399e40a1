/** Limits on heads hold both ways; a backend that takes no connect and a tunnel that falls silent are given up. */
import { describe, expect, it } from 'vitest';
import { backendColumns } from '../../../src/shared/counter-pages.ts';
import { DeafBackend } from '../../support/deaf-backend.ts';
import { Engine, makeListener, makePool, RawClient } from '../../support/engine.ts';
import { freePort } from '../../support/free-port.ts';
import { OK, scenario } from '../../support/engine-scenario.ts';
import { ScriptedOrigin } from '../../support/scripted-origin.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const fields = (count: number): string => Array.from({ length: count }, (_, i) => `X-${i}: 1\r\n`).join('');

describe('heads', () => {
  it('of requests: headerCount fields pass, one more is 431', async () => {
    const s = await scenario(() => OK, { listener: { limits: { headerCountMax: 10 } } });
    expect(await s.ask(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${fields(8)}\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await s.ask(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${fields(9)}\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
  });

  it.each([
    ['headerCount', `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${fields(10)}\r\nok`],
    ['headerSize', `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: ${'x'.repeat(2000)}\r\n\r\nok`],
  ])('of answers over %s: 502', async (_limit, answer) => {
    const s = await scenario(() => answer, { listener: { limits: { headerCountMax: 10, headerBytesMax: 1024 } } });
    expect(await s.ask(GET)).toMatch(/^HTTP\/1\.1 502 /);
    expect(s.origin.seen).toHaveLength(1);
  });
});

describe('waits', () => {
  it('for a connect: over connectTimeout the next backend takes the request', async () => {
    const deaf = await DeafBackend.start();
    const good = await ScriptedOrigin.start(() => OK);
    const port = await freePort();
    const first = { name: 'first', module: null, options: {}, key: { kind: 'client-ip', name: '' } } as const;
    const engine = await Engine.start([makeListener(port)], [makePool([deaf.port, good.port], { algorithm: first, connections: { perBackend: 0, connectTimeoutMs: 200, idleMs: 4000 } })]);
    const client = await RawClient.open(port);
    client.send(GET);
    expect(await client.untilEnd()).toMatch(/^HTTP\/1\.1 200 /);
    const { cells, base } = engine.context.counters.backends.at(0);
    expect(cells[base + backendColumns.failures + 1]).toBe(1);
    engine.stop();
    good.stop();
    await deaf.stop();
  });

  it('for bytes of a tunnel: both sides are closed', async () => {
    const s = await scenario(() => 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n', { listener: { timeouts: { tunnelMs: 200 } } });
    const client = await s.client();
    client.send('GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n');
    await client.until((received) => received.includes(' 101 '));
    await client.untilEnd();
    const [socket] = s.origin.origin.sockets;
    while (!socket!.destroyed && !socket!.readableEnded) await new Promise((resolve) => setImmediate(resolve));
    while (s.engine.context.table.backend(0).inFlight !== 0) await new Promise((resolve) => setImmediate(resolve));
  });
});
