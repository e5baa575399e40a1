/**
 * `postgres`: passes when a session can be started, and where asked for, a query
 * answered and the server found to be the primary. Without `user`, `query` and
 * `role` it is enough that the server takes connections, as for pg_isready:
 * whatever it says to a user it may not know, unless that is that it is starting
 * up, shutting down, full, or broken.
 *
 * The messages are our own (postgres-messages.ts): a client library opens its
 * own connections, bounds neither the time nor the bytes of each step, and
 * reports a failure as an error text of its own making.
 */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { PostgresTalk } from './postgres-talk.ts';
import { talk } from './probe-talk.ts';
import type { ProbeDefinition } from './probe.ts';
import { secretOption } from './secret-option.ts';
import { tlsOption } from './tls-option.ts';

const NONCE_BYTES = 18;
/** Whom to be where nobody is named. */
const USER = 'weir';

/** A zero byte would end it early. */
const name = z.string().regex(/^[^\0]{1,255}$/, { error: 'not a name' });

const options = z.strictObject({
  user: name.nullable().default(null).describe('Who logs in. Absent: weir, and with neither query nor role it is enough that the server takes connections, whether or not it lets weir in.'),
  password: secretOption('Password of the user: as clear text, MD5 or SCRAM-SHA-256, as the server asks.'),
  database: name.nullable().default(null).describe("Database of the session; absent: the one called like the user, the server's own default."),
  query: z.string().regex(/^[^\0]{0,4096}$/, { error: 'a query has 4,096 characters at most, none of them zero' }).default('').describe('SQL that must succeed, and find a row if it looks for rows; empty: none is sent.'),
  tls: tlsOption,
});

type Options = z.infer<typeof options>;

export const postgresProbe: ProbeDefinition<Options> = {
  name: 'postgres',
  summary: 'Passes when a PostgreSQL session can be started and the query, if any, succeeds.',
  options,
  hasRoles: true,
  probe(target, { user, password, database, query, role }: Options & { readonly role?: 'primary' | null }, context) {
    const isPrimary = role === 'primary';
    const isAnyAnswerEnough = user === null && query === '' && !isPrimary;
    const nonce = randomBytes(NONCE_BYTES).toString('base64');
    const script = new PostgresTalk({ user: user ?? USER, password, database, query, isPrimary, isAnyAnswerEnough, isSecure: context.startTls !== undefined, nonce });
    return talk(target, context, script.run(), { secrets: [password] });
  },
};
