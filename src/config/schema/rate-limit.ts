/** `rateLimit` of a route: whose requests are counted together, how many are let through, and by whom they are counted. */
import { z } from 'zod';
import type { Rate } from '../units.ts';
import { algorithmKey } from './algorithm.ts';
import { choice, rate, whole } from './leaves.ts';
import { broken } from './rules.ts';

const BURST_MAX = 1_000_000;
/** A bucket's times are int32 milliseconds: it must be full again long before they wrap. */
const FILL_MS_MAX = 86_400_000;

/** What the rate gives in a second, 1 at least. */
export function defaultBurst({ count, periodMs }: Rate): number {
  return Math.max(1, Math.floor((count * 1000) / periodMs));
}

export const rateLimit = z
  .strictObject({
    key: algorithmKey.prefault('client-ip').describe('Requests with the same value share a bucket; by client address when the request lacks it (IPv6: the first 64 bits).'),
    rate: rate().describe('How fast the bucket of a key fills.'),
    burst: whole(1, BURST_MAX).optional().describe('How many requests a full bucket holds. Absent: what the rate gives in a second, 1 at least.'),
    scope: choice(['tier', 'proxy']).prefault('tier').describe('One bucket for all members of the tier, or one in each proxy. Without a store they are the same.'),
  })
  .check((context) => {
    const { burst } = context.value;
    // What is wrong in itself is said by its own reading.
    if (burst === undefined || typeof context.value.rate !== 'object') return;
    const { count, periodMs } = context.value.rate;
    if (burst * 1000 < count / (periodMs / 1000)) broken(context, ['burst'], 'is less than the rate gives in a millisecond', { expected: `at least ${Math.ceil(count / periodMs)}` });
    if ((burst * periodMs) / count > FILL_MS_MAX) broken(context, ['burst'], 'takes longer than a day to fill at this rate', { expected: `at most ${Math.floor((FILL_MS_MAX * count) / periodMs)}` });
  });
