import { expect, it } from 'vitest';
import { openRecord, sealRecord, type TicketSeal } from '../../../src/control-plane/tickets/ticket-record.ts';
import { TICKET_KEYS_BYTES } from '../../../src/shared/ticket-memory.ts';

const keys = Uint8Array.from({ length: TICKET_KEYS_BYTES }, (_, i) => i);
/** Seals nothing, so that a record can be written by hand. */
const open: TicketSeal = { seal: (plain) => Buffer.from(plain).toString('base64'), open: (text) => Buffer.from(text, 'base64') };

function record(madeMs: number, bytes: number): string {
  const plain = Buffer.alloc(8 + bytes);
  plain.writeDoubleBE(madeMs);
  plain.set(keys.subarray(0, bytes), 8);
  return open.seal(plain);
}

it.each([0, 1.5, -7_200_000, 1e15])('a record of the time %d is read back as it was', (madeMs) => {
  expect(sealRecord({ madeMs, keys }, open)).toBe(record(madeMs, TICKET_KEYS_BYTES));
  expect(openRecord(sealRecord({ madeMs, keys }, open), open)).toEqual({ madeMs, keys: Buffer.from(keys) });
});

it.each([
  ['shorter than all keys', record(1, TICKET_KEYS_BYTES - 1)],
  ['longer than all keys', open.seal(Buffer.concat([open.open(record(1, TICKET_KEYS_BYTES))!, Buffer.alloc(1)]))],
  ['empty', ''],
  ['of no time', record(Number.NaN, TICKET_KEYS_BYTES)],
  ['of a time without end', record(Number.POSITIVE_INFINITY, TICKET_KEYS_BYTES)],
])('one that is %s is none, though the tier sealed it', (_what, text) => {
  expect(openRecord(text, open)).toBeNull();
});

it('what was sealed does not stay in memory', () => {
  const seen: Uint8Array[] = [];
  sealRecord({ madeMs: 1, keys }, { ...open, seal: (plain) => (seen.push(plain), '') });
  expect(seen).toEqual([new Uint8Array(8 + TICKET_KEYS_BYTES)]);
});
