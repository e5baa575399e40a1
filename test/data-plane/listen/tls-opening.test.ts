import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { connect, createSecureContext } from 'node:tls';
import v8 from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, expect, it } from 'vitest';
import { TimerWheel } from '../../../src/base/timer-wheel.ts';
import { TlsOpening, type SecuringOwner } from '../../../src/data-plane/listen/tls-opening.ts';
import type { LiveTls } from '../../../src/data-plane/live/live-tls.ts';
import type { WorkerContext } from '../../../src/data-plane/live/worker-context.ts';
import { TestCa } from '../../support/test-ca.ts';

const ca = new TestCa();
afterAll(() => ca.remove());

it('is let go once its connection is secured, though that stays', async () => {
  v8.setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const site = ca.issue();
  const identity = { context: createSecureContext({ cert: site.cert, key: site.key }) };
  const tls = { spec: { alpn: [], clientAuth: null }, identityFor: () => identity } as unknown as LiveTls;
  const context = { wheel: new TimerWheel() } as unknown as WorkerContext;
  const kept: Socket[] = [];
  let opening: WeakRef<TlsOpening> | null = null;
  const live = { spec: { proxyProtocol: 'off', timeouts: { headerMs: 1000 } }, counters: new Float64Array(1000), base: 0 };
  const acceptor = createServer((raw) => {
    const owner = { live, onSecured: (_opening: TlsOpening, { socket }: { socket: Socket }) => kept.push(raw, socket) } as unknown as SecuringOwner;
    const made = new TlsOpening(raw, 443, owner, tls, context);
    opening = new WeakRef(made);
    made.begin();
  });
  acceptor.listen(0, '127.0.0.1');
  await once(acceptor, 'listening');
  const peer = connect({ port: (acceptor.address() as AddressInfo).port, host: '127.0.0.1', servername: 'localhost', ca: ca.ca });
  await once(peer, 'secureConnect');
  while (kept.length === 0) await new Promise((resolve) => setImmediate(resolve));
  for (let i = 0; i < 5 && opening!.deref() !== undefined; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  expect(opening!.deref()).toBeUndefined();
  expect(kept.map((socket) => socket.destroyed)).toEqual([false, false]);
  for (const socket of [peer, ...kept]) socket.destroy();
  acceptor.close();
});
