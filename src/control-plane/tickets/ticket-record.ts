/**
 * The keys of session tickets as a tier shares them: when they were made, and
 * the keys of all generations, sealed by the tier's key into the text that the
 * store holds. Pure. What is not of the form, or sealed by another, is null.
 */
import { TICKET_KEYS_BYTES } from '../../shared/ticket-memory.ts';

/** What the tier's key does to them (rollout/tier-key.ts), for one tier. */
export interface TicketSeal {
  seal(plain: Uint8Array): string;
  open(text: string): Uint8Array | null;
}

export interface TicketRecord {
  /** Tier time; below 0 where the store has begun anew since. */
  readonly madeMs: number;
  readonly keys: Uint8Array;
}

const TIME_BYTES = 8;

export function sealRecord({ madeMs, keys }: TicketRecord, seal: TicketSeal): string {
  const plain = new Uint8Array(TIME_BYTES + TICKET_KEYS_BYTES);
  new DataView(plain.buffer).setFloat64(0, madeMs);
  plain.set(keys, TIME_BYTES);
  const text = seal.seal(plain);
  plain.fill(0);
  return text;
}

export function openRecord(text: string, seal: TicketSeal): TicketRecord | null {
  const plain = seal.open(text);
  if (plain === null || plain.length !== TIME_BYTES + TICKET_KEYS_BYTES) return null;
  const madeMs = new DataView(plain.buffer, plain.byteOffset).getFloat64(0);
  return Number.isFinite(madeMs) ? { madeMs, keys: plain.subarray(TIME_BYTES) } : null;
}
