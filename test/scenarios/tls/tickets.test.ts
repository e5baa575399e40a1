/** Sessions are taken up again by tickets, in any worker, while one of the keys is that of the ticket. */
import { randomFillSync } from 'node:crypto';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { TicketKeys } from '../../../src/net/ticket-keys.ts';
import { SEALING_GENERATION, TICKET_GENERATIONS, TicketMemory } from '../../../src/shared/ticket-memory.ts';
import { Engine, makeListener, makePool, makeRoute } from '../../support/engine.ts';
import { freePort } from '../../support/free-port.ts';
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

/** A worker with keys of its own memory, or of one that others have too. */
async function worker(memory: TicketMemory, tickets = true): Promise<number> {
  const port = await freePort();
  const engine = await Engine.start([makeListener(port, { tls: makeTls([site], { tickets }), routes })], [makePool([])], { tickets: new TicketKeys(memory) });
  toStop.push(() => engine.plane.cut(), () => engine.stop());
  return port;
}
const keys = (): TicketMemory => TicketMemory.create(randomFillSync);

interface Visit {
  readonly reused: boolean;
  readonly session: Buffer | null;
}

async function visit(port: number, maxVersion: 'TLSv1.2' | 'TLSv1.3', session: Buffer | null = null): Promise<Visit> {
  const visitor = await TlsVisitor.open(port, { ca: ca.ca, maxVersion, ...(session === null ? {} : { session }) });
  const reused = visitor.socket.isSessionReused();
  visitor.send('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  await visitor.untilClosed();
  expect(visitor.received).toContain('ok');
  return { reused, session: visitor.session ?? session };
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('a ticket of %s', (version) => {
  it('is good in another worker that has the same keys, and in no other proxy', async () => {
    const memory = keys();
    const [one, two, stranger] = [await worker(memory), await worker(memory), await worker(keys())];
    const { session } = await visit(one, version);
    expect((await visit(two, version, session)).reused).toBe(true);
    expect((await visit(stranger, version, session)).reused).toBe(false);
  });

  it('is good for two rotations, and renewed by each visit', async () => {
    const memory = keys();
    const port = await worker(memory);
    const first = await visit(port, version);
    for (let rotations = 1; rotations < TICKET_GENERATIONS - SEALING_GENERATION; rotations++) {
      memory.rotate(randomFillSync);
      expect((await visit(port, version, first.session)).reused).toBe(true);
    }
    const renewed = await visit(port, version, first.session);
    memory.rotate(randomFillSync);
    expect((await visit(port, version, first.session)).reused).toBe(false);
    // This client is not told of a renewal by its own runtime in TLS 1.2.
    if (version === 'TLSv1.3') expect((await visit(port, version, renewed.session)).reused).toBe(true);
  });

  it('sealed with a key that is only to come elsewhere is good there', async () => {
    const late = keys();
    const ahead = keys();
    ahead.replace(new Uint8Array(late.memory).slice(8));
    ahead.rotate(randomFillSync);
    const [first, second] = [await worker(ahead), await worker(late)];
    const { session } = await visit(first, version);
    const again = await visit(second, version, session);
    expect(again.reused).toBe(true);
    expect((await visit(first, version, again.session)).reused).toBe(true);
  });

  it('is not made with tickets: false', async () => {
    const port = await worker(keys(), false);
    const { session } = await visit(port, version);
    if (session !== null) expect((await visit(port, version, session)).reused).toBe(false);
  });
});

describe('the memory of keys', () => {
  it('holds one to come, one in use and two of before, and forgets what rotates out', () => {
    let next = 0;
    const fill = (bytes: Uint8Array): void => {
      for (let at = 0; at < bytes.length; at += 48) bytes.fill(++next, at, at + 48);
    };
    const memory = TicketMemory.create(fill);
    const names = (): number[] => memory.read()!.map(({ name, seal, content }) => (name[0] === seal[15] && seal[15] === content[0] ? name[0]! : -1));
    expect(names()).toEqual([1, 2, 3, 4]);
    const before = memory.sequence;
    memory.rotate(fill);
    expect([names(), memory.sequence === before]).toEqual([[5, 1, 2, 3], false]);
    expect(new Uint8Array(memory.memory, 8).includes(4)).toBe(false);
    expect(new TicketMemory(memory.memory).read()).toEqual(memory.read());
  });
});
