import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { findShared, planPorts } from '../../../src/control-plane/rollout/port-plan.ts';
import { plainListener } from '../../support/plain-snapshot.ts';

const open: Server[] = [];
afterEach(() => open.splice(0).forEach((each) => each.close()));

/** Somebody listens, as a worker of ours (or of another proxy) would. */
async function listening(host = '127.0.0.1'): Promise<number> {
  const each = createServer().listen({ port: 0, host, reusePort: true });
  open.push(each);
  await once(each, 'listening');
  return (each.address() as AddressInfo).port;
}

test('each bind of port 0 gets a free port of its own, even of one text', async () => {
  const { ports, problems, chosen } = await planPorts([plainListener('a'), plainListener('b'), plainListener('c')], null);
  expect(problems).toEqual([]);
  expect(chosen).toBe(true);
  const flat = ports.flat();
  expect(new Set(flat).size).toBe(3);
  for (const port of flat) expect(port).toBeGreaterThan(0);
});

test('a port of another process is refused by listener and address, all of them at once', async () => {
  const [one, two] = [await listening(), await listening()];
  const plan = await planPorts([plainListener('a', one), plainListener('b'), plainListener('c', two)], null);
  expect(plan.problems).toEqual([`listener a: 127.0.0.1:${one} is in use by another process`, `listener c: 127.0.0.1:${two} is in use by another process`]);
});

test('what our own workers hold is not checked, under whatever listener; a free port stays the same', async () => {
  const port = await listening();
  const before = { listeners: [plainListener('old', port)], ports: [[port]] };
  expect(await planPorts([plainListener('new', port)], before)).toEqual({ ports: [[port]], problems: [], fresh: [], chosen: false });
  expect(await planPorts([plainListener('new', port, null)], before)).toEqual({ ports: [[port]], problems: [], fresh: [], chosen: false });
  const free = { listeners: [plainListener('a')], ports: [[port]] };
  expect(await planPorts([plainListener('a')], free)).toEqual({ ports: [[port]], problems: [], fresh: [], chosen: false });
});

test('a listener of a running config that moves to a taken port is refused', async () => {
  const [held, taken] = [await listening(), await listening()];
  const plan = await planPorts([plainListener('a', taken)], { listeners: [plainListener('a', held)], ports: [[held]] });
  expect(plan.problems).toEqual([`listener a: 127.0.0.1:${taken} is in use by another process`]);
});

test('once the workers have bound, one socket more than theirs is somebody else', async () => {
  const listener = plainListener('web');
  const port = await listening();
  await shareWith(port);
  const fresh = [{ listener: 'web', transport: 'tcp' as const, bind: listener.binds[0]!, port }];
  expect(await findShared(fresh, 2)).toEqual([]);
  await shareWith(port);
  expect(await findShared(fresh, 2)).toEqual(['listener web: 127.0.0.1:0 is in use by another process']);
});

async function shareWith(port: number): Promise<void> {
  const each = createServer().listen({ port, host: '127.0.0.1', reusePort: true });
  open.push(each);
  await once(each, 'listening');
}
