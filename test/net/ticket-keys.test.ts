/** What the runtime is told when it asks for the key of a ticket. */
import { randomFillSync } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { TicketKeys } from '../../src/net/ticket-keys.ts';
import { TicketMemory } from '../../src/shared/ticket-memory.ts';

interface Asking {
  onticketkeycallback(name: Buffer, iv: Buffer, seals: boolean): readonly [number, Buffer, Buffer, Buffer, Buffer];
}

describe('the key of a ticket', () => {
  it('comes with an initialisation vector that no ticket had before', () => {
    const made = createSecureContext();
    expect(new TicketKeys(TicketMemory.create(randomFillSync)).serve(made)).toBe(true);
    const asking = made.context as unknown as Asking;
    const vectors = Array.from({ length: 500 }, () => Buffer.from(asking.onticketkeycallback(Buffer.alloc(16), Buffer.alloc(16), true)[4]));
    expect(vectors.every((iv) => iv.length === 16)).toBe(true);
    expect(new Set(vectors.map((iv) => iv.toString('hex'))).size).toBe(500);
  });
});
