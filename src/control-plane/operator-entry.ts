/**
 * An operator's word about one backend, and its text in the tier's store:
 * `STAMP_MS BY JSON` under the key `POOL ADDRESS`. Pure. What another release
 * or anyone else wrote is read with care: what does not fit is null.
 */
import { z } from 'zod';
import type { BackendState } from '../shared/snapshot.ts';
import type { OperatorPut } from './store/tier-store.ts';

export const WEIGHT_MAX = 1000;

/** `ready` with weight null says nothing more than the file does. */
export interface OperatorEntry {
  readonly pool: string;
  readonly address: string;
  readonly state: BackendState;
  /** 0 to WEIGHT_MAX; null: the file's. */
  readonly weight: number | null;
  readonly reason: string;
  /** Who said it: a member's id, and whatever it knows of the person. */
  readonly by: string;
  /** Wall time of the member that took it. */
  readonly stampMs: number;
}

const wordSchema = z.object({
  state: z.enum(['ready', 'drain', 'disabled']),
  weight: z.int().min(0).max(WEIGHT_MAX).nullable(),
  reason: z.string().max(1000),
  by: z.string().max(200),
});

/** Names of pools and addresses hold no space. */
export function operatorKey(pool: string, address: string): string {
  return `${pool} ${address}`;
}

/** Of a key that is about a backend; others there may be (`@member ID`: member-orders.ts) are not ours to read. */
export function isBackendKey(key: string): boolean {
  return /^[^ @][^ ]* [^ ]+$/.test(key);
}

/** Of two words the newer stands, of equally old ones that of the greater name. */
export function isNewer(entry: OperatorEntry, former: OperatorEntry): boolean {
  return entry.stampMs === former.stampMs ? nameOf(entry) > nameOf(former) : entry.stampMs > former.stampMs;
}

export function operatorPut(entry: OperatorEntry): OperatorPut {
  const { pool, address, state, weight, reason, by, stampMs } = entry;
  const name = nameOf(entry);
  return { key: operatorKey(pool, address), stampMs, by: name, text: `${stampMs} ${name} ${JSON.stringify({ state, weight, reason, by })}` };
}

/** null: not of that form. */
export function parseOperatorEntry(key: string, text: string): OperatorEntry | null {
  const [, pool, address] = /^([^ ]+) ([^ ]+)$/.exec(key) ?? [];
  const [, stampMs, json] = /^(\d{1,16}) \S+ (.*)$/s.exec(text) ?? [];
  if (pool === undefined || address === undefined || json === undefined) return null;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return null;
  }
  const word = wordSchema.safeParse(value);
  return word.success ? { pool, address, ...word.data, stampMs: Number(stampMs) } : null;
}

/** As it stands in the text, where a space ends it. */
function nameOf({ by }: OperatorEntry): string {
  return by.replaceAll(/\s+/g, '_') || '-';
}
