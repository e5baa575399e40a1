/** What is open to a former primary ends: at rest, in mid request, of tcp and of udp. */
import { expect, test } from 'vitest';
import { healthSpec } from '../../support/backend-rig.ts';
import { OK, scenario } from '../../support/engine-scenario.ts';
import { echo, tcpScenario, until } from '../../support/tcp-scenario.ts';
import { UdpBackend, UdpRig } from '../../support/udp-rig.ts';

const pool = { health: [healthSpec({ role: 'primary' })], panicShare: 0 };
const GET = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

test('a connection at rest is closed, and the next request finds nobody', async () => {
  const s = await scenario(() => OK, { pool });
  const row = s.engine.context.table.backend(0);
  expect(await s.ask(GET)).toContain('200 OK');
  expect(row.connections).toBe(1);
  row.withdrawn = true;
  await until(() => row.connections === 0);
  expect(await s.ask(GET)).toContain('503');
  row.withdrawn = false;
  // Whoever changes a row says so; candidates of before are no longer true.
  s.engine.context.table.pool(0).bumpEpoch();
  expect(await s.ask(GET)).toContain('200 OK');
});

test('a request under way is cut, and sent to nobody else', async () => {
  const s = await scenario(() => null, { pool });
  const row = s.engine.context.table.backend(0);
  const asked = s.ask(GET);
  await s.origin.until(1);
  row.withdrawn = true;
  expect(await asked).toMatch(/^HTTP\/1.1 50[23] /);
  await until(() => row.connections === 0);
  expect(row.inFlight).toBe(0);
  expect(s.origin.seen).toHaveLength(1);
});

test('a tcp connection is reset on both sides, of a pool that its fence has ended too', async () => {
  const s = await tcpScenario(echo, { pool });
  const row = s.engine.context.table.backend(0);
  for (const end of [() => (row.withdrawn = true), () => s.engine.context.table.pool(0).fence(0)]) {
    row.withdrawn = false;
    s.engine.context.table.pool(0).bumpEpoch();
    const client = await s.client();
    client.send('x');
    await client.until((received) => received === 'x');
    end();
    await client.untilEnd().catch(() => undefined);
    await until(() => row.connections === 0);
  }
});

test('a session of udp ends, and the next datagram begins one with the next primary', async () => {
  const [former, next] = [await UdpBackend.start('former'), await UdpBackend.start('next')];
  const proxy = await UdpRig.start([former.port, next.port], {}, pool);
  const { table } = proxy.engine.context;
  const [one, two] = [table.backend(0), table.backend(1)];
  const serve = (isFirst: boolean): void => {
    [one.withdrawn, two.withdrawn] = [!isFirst, isFirst];
    table.pool(0).bumpEpoch();
  };
  serve(true);
  const client = await proxy.client();
  expect(await client.ask('a', proxy.port)).toBe('former:a');
  serve(false);
  // Told by whoever acknowledges the withdrawal: nothing is open to it any more.
  await proxy.until(() => one.connections === 0);
  expect(proxy.sessions).toBe(0);
  expect(await client.ask('b', proxy.port)).toBe('next:b');
  expect(former.heard).toHaveLength(1);
  proxy.stop();
  former.close();
  next.close();
});

test('what is open to a backend that leaves the config while it is withdrawn ends with it', async () => {
  const s = await tcpScenario([echo, echo], { pool });
  const { table } = s.engine.context;
  const [stays, leaves] = [table.backend(0), table.backend(1)];
  stays.withdrawn = true;
  table.pool(0).bumpEpoch();
  const client = await s.client();
  client.send('x');
  await client.until((received) => received === 'x');
  expect(leaves.connections).toBe(1);
  leaves.withdrawn = true;
  await s.reload({ pool: { backends: [{ port: s.origins[0]!.port }] } });
  await until(() => leaves.connections === 0 && client.isClosed);
  expect(client.error?.code).toBe('ECONNRESET');
});
