/**
 * The whole config as one zod schema: types, checks, JSON Schema and reference
 * page all come from here. Its values are as written (`10s`), what it gives
 * back is ready for use (10000).
 */
import { z } from 'zod';
import { name } from './leaves.ts';
import { listener } from './listeners.ts';
import { note } from './notes.ts';
import { pool } from './pools.ts';
import { admin, drain, log, tier } from './process.ts';

export const config = note(
  z.strictObject({
    listeners: z.record(name(), listener).prefault({}).describe('Where connections come in, by name.'),
    pools: z.record(name(), pool).prefault({}).describe('Where they go, by name.'),
    tier: tier.prefault({}).describe('The proxies that act as one.'),
    drain: drain.prefault({}).describe('How a proxy stops.'),
    admin: admin.prefault({}).describe('The admin interface.'),
    log: log.prefault({}).describe('What is logged, and how.'),
  }),
  { later: ['dns'] },
);

export type Config = z.output<typeof config>;
