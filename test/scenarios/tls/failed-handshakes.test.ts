/** Who could not speak TLS with us stands in the log: client, name and reason, however many they are. */
import { afterAll, afterEach, expect, it } from 'vitest';
import { Engine, makeListener, makePool, makeRoute } from '../../support/engine.ts';
import { freePort } from '../../support/free-port.ts';
import { until } from '../../support/tcp-scenario.ts';
import { makeTls, TestCa } from '../../support/test-ca.ts';
import { TlsVisitor } from '../../support/tls-visitor.ts';

const ca = new TestCa();
afterAll(() => ca.remove());
const site = ca.issue();
const routes = [makeRoute({ action: { kind: 'respond', status: 200, body: 'ok', contentType: 'text/plain' } })];

const toStop: (() => void)[] = [];
afterEach(() => {
  for (const stop of toStop.splice(0)) stop();
});

it('a line of each kind, with how many are left out', async () => {
  const port = await freePort();
  const engine = await Engine.start([makeListener(port, { tls: makeTls([site]), routes })], [makePool([])]);
  toStop.push(() => engine.plane.cut(), () => engine.stop());
  const told = (): unknown[] => engine.messages.flatMap((message) => (message.kind === 'log' && message.level === 'warn' ? [[message.text, message.fields]] : []));
  const failed = async (options: Parameters<typeof TlsVisitor.open>[1]): Promise<void> => expect(await TlsVisitor.open(port, options).catch((error: unknown) => error)).toBeInstanceOf(Error);
  const expected = (result: string, name: string, detail: unknown): unknown => ['a TLS handshake failed', { listener: 'front', client: '127.0.0.1', name, result, detail, before: 0 }];

  for (let i = 0; i < 5; i++) await failed({ ca: ca.ca, ALPNProtocols: ['imap'] });
  await failed({ ca: ca.ca, servername: 'other.example', ciphers: 'AES128-SHA', maxVersion: 'TLSv1.2' });
  // This one does not trust us, and only goes away.
  await failed({ servername: 'localhost' });
  await until(() => told().length >= 2);
  expect(told()).toEqual([
    expected('no-protocol', 'localhost', expect.stringContaining('protocol')),
    expected('no-cipher', 'other.example', expect.stringContaining('cipher')),
  ]);
});
