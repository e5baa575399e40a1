/**
 * `mysql`: passes when a user can log in to a MySQL or MariaDB, and where asked
 * for, a query is answered and the server found to take writes. It always logs
 * in: a connection that ends before that, even one that is just opened and
 * closed, is an aborted connect to the server, and after `max_connect_errors` of
 * them it blocks this host. Without `user` that is weir, without a password: a
 * user that needs no rights, but must be there.
 *
 * The messages are our own (mysql-messages.ts): a client library opens its own
 * connections, bounds neither the time nor the bytes of each step, and decides
 * for itself how a login that failed is ended.
 */
import { z } from 'zod';
import { MysqlTalk } from './mysql-talk.ts';
import { talk } from './probe-talk.ts';
import type { ProbeDefinition } from './probe.ts';
import { secretOption } from './secret-option.ts';
import { tlsOption } from './tls-option.ts';

/** A zero byte would end it early. */
const name = z.string().regex(/^[^\0]{1,255}$/, { error: 'not a name' });

const options = z.strictObject({
  user: name.default('weir').describe('Who logs in; needs no rights.'),
  password: secretOption('Password of the user, for mysql_native_password or caching_sha2_password, as the server asks.'),
  database: name.nullable().default(null).describe('Database of the session; absent: none.'),
  query: z.string().max(4096).default('').describe('SQL that must succeed, and find a row if it looks for rows; empty: none is sent.'),
  tls: tlsOption,
});

type Options = z.infer<typeof options>;

export const mysqlProbe: ProbeDefinition<Options> = {
  name: 'mysql',
  summary: 'Passes when a user can log in to a MySQL or MariaDB and the query, if any, succeeds.',
  options,
  hasRoles: true,
  probe(target, { user, password, database, query, role }: Options & { readonly role?: 'primary' | null }, context) {
    const script = new MysqlTalk({ user, password, database, query, isPrimary: role === 'primary', isSecure: context.startTls !== undefined });
    return talk(target, context, script.run(), { secrets: [password] });
  },
};
