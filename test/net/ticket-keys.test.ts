/** What the runtime is told when it asks for the key of a ticket. */
import { randomFillSync } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { TicketKeys } from '../../src/net/ticket-keys.ts';
import { TicketMemory, type TicketKey } from '../../src/shared/ticket-memory.ts';

interface Asking {
  onticketkeycallback(name: Buffer, iv: Buffer, seals: boolean): readonly [number, Buffer, Buffer, Buffer, Buffer];
}

/** What OpenSSL takes for an answer. */
const [UNKNOWN, GOOD, RENEW] = [0, 1, 2];

function served(memory: TicketMemory): Asking {
  const made = createSecureContext();
  expect(new TicketKeys(memory).serve(made)).toBe(true);
  return made.context;
}

describe('the key of a ticket', () => {
  it('comes with an initialisation vector that no ticket had before', () => {
    const asking = served(TicketMemory.create(randomFillSync));
    const vectors = Array.from({ length: 500 }, () => Buffer.from(asking.onticketkeycallback(Buffer.alloc(16), Buffer.alloc(16), true)[4]));
    expect(vectors.every((iv) => iv.length === 16)).toBe(true);
    expect(new Set(vectors.map((iv) => iv.toString('hex'))).size).toBe(500);
  });

  it('seals with the second newest of four, opens with all of them, and is made anew for tickets of the older two', () => {
    const memory = TicketMemory.create(randomFillSync);
    const asking = served(memory);
    const before = memory.read()!;
    expect(before).toHaveLength(4);
    const [, seal, content, name] = asking.onticketkeycallback(Buffer.alloc(16), Buffer.alloc(16), true);
    expect([seal, content, name]).toEqual([before[1]!.seal, before[1]!.content, before[1]!.name]);
    const opened = (key: TicketKey): unknown[] => asking.onticketkeycallback(key.name, Buffer.alloc(16), false).slice(0, 3);
    for (const [place, answer] of [GOOD, GOOD, RENEW, RENEW].entries()) expect(opened(before[place]!), `generation ${place}`).toEqual([answer, before[place]!.seal, before[place]!.content]);
    expect(opened({ ...before[0]!, name: Buffer.alloc(16, 'x') })[0]).toBe(UNKNOWN);

    // A rotation counts from the next ticket on: the one to come seals, and the oldest is not known any more.
    memory.rotate(randomFillSync);
    expect(asking.onticketkeycallback(Buffer.alloc(16), Buffer.alloc(16), true)[3]).toEqual(before[0]!.name);
    expect(before.map((key) => opened(key)[0])).toEqual([GOOD, RENEW, RENEW, UNKNOWN]);
  });
});
