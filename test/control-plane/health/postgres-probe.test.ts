/** Against a real PostgreSQL, and standbys of it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { postgresProbe } from '../../../src/control-plane/health/postgres-probe.ts';
import type { ProbeResult } from '../../../src/control-plane/health/probe.ts';
import { dialUdp } from '../../../src/net/dial-udp.ts';
import { dial } from '../../../src/net/dial.ts';
import { until } from '../../support/weir-process.ts';
import { POSTGRES_ADVICE, postgresPrograms, PostgresServer } from '../../support/postgres-server.ts';

const PASSWORD = 'pencil & Ⅸ';
const rules = [
  'host all trusted 127.0.0.1/32 trust', 'host all scram,weir 127.0.0.1/32 scram-sha-256', 'host all hashed 127.0.0.1/32 md5', 'host all clear,full 127.0.0.1/32 password',
  'host all elsewhere 192.0.2.1/32 trust',
];
const users = [`create user trusted`, `create user scram password '${PASSWORD}'`, `create user clear password '${PASSWORD}'`, `create user full connection limit 0 password '${PASSWORD}'`, `set password_encryption = 'md5'`, `create user hashed password '${PASSWORD}'`];
const ok = { ok: true, latencyMs: expect.any(Number) as number };
const fails = (reason: string): unknown => ({ ok: false, reason });

let primary: PostgresServer;

function probe(server: PostgresServer, options: Record<string, unknown> = {}, role?: 'primary'): Promise<ProbeResult> {
  const wanted = { ...postgresProbe.options.parse({ database: 'postgres', ...options }), ...(role === undefined ? {} : { role }) };
  return postgresProbe.probe({ host: '127.0.0.1', port: server.port, address: `127.0.0.1:${server.port}` }, wanted, { signal: new AbortController().signal, dial, dialUdp, clock: systemClock });
}

describe.skipIf(postgresPrograms === null)(`a real PostgreSQL${POSTGRES_ADVICE}`, () => {
  beforeAll(async () => {
    primary = await PostgresServer.start({ rules });
    await primary.sql(users.join('; '));
  });
  afterAll(() => primary.stop());

  // First of all, since some of the others leave lines behind, and late.
  it('asked for nothing but whether it takes connections logs nothing, and keeps no session', async () => {
    const before = primary.log.length;
    for (let i = 0; i < 20; i++) expect(await probe(primary)).toEqual(ok);
    for (let i = 0; i < 20; i++) expect(await probe(primary, { user: 'trusted' })).toEqual(ok);
    await until(async () => (await primary.sql("select count(*) from pg_stat_activity where application_name = 'weir-probe'")) === '0');
    expect(primary.log.slice(before)).toEqual([]);
  });

  it.each(['trusted', 'scram', 'hashed', 'clear'])('lets %s in, and answers a query', async (user) => {
    expect(await probe(primary, { user, password: PASSWORD, query: 'select 1' }, 'primary')).toEqual(ok);
  });

  it.each([
    { user: 'scram', reason: '28P01 password authentication failed for user "scram"' },
    { user: 'hashed', reason: '28P01 password authentication failed for user "hashed"' },
    { user: 'clear', reason: '28P01 wrong password' },
  ])('refuses $user with a wrong password: $reason', async ({ user, reason }) => {
    expect(await probe(primary, { user, password: 'paper' })).toEqual(fails(reason));
  });

  it.each([
    { options: { user: 'scram' }, reason: 'asks for a password, and none is set' },
    { options: { user: 'trusted', database: 'shop' }, reason: '3D000 database "shop" does not exist' },
    { options: { user: 'elsewhere' }, reason: '28000 no pg_hba.conf entry for host "127.0.0.1", user "elsewhere", database "postgres", no encryption' },
    { options: { user: 'full', password: PASSWORD }, reason: '53300 too many connections' },
    { options: { user: 'trusted', query: 'select 1 / 0' }, reason: 'query failed: 22012 division by zero' },
    { options: { user: 'trusted', query: 'select 1 where false' }, reason: 'query found no row' },
    { options: { user: 'trusted', query: 'copy (select 1) to stdout' }, reason: 'query copies, which is not spoken here' },
    { options: { user: 'trusted', query: "select 'x' from generate_series(1, 20000)" }, reason: 'answer is larger than 65536 bytes' },
  ])('fails $options: $reason', async ({ options, reason }) => {
    expect(await probe(primary, options)).toEqual(fails(reason));
  });

  it('that starts up, or is a standby that answers nobody, is told from one that is well', async () => {
    const standby = await primary.standby(['hot_standby=off']);
    expect(await probe(standby)).toEqual(fails('57P03 the database system is not accepting connections'));
    await standby.stop();
    expect(await probe(standby)).toEqual({ ok: false, reason: 'connection refused', unreached: true });
  });

  it('that is a standby is a replica until it is promoted', async () => {
    const standby = await primary.standby();
    const user = { user: 'scram', password: PASSWORD };
    expect(await probe(standby, user)).toEqual(ok);
    expect(await probe(standby, user, 'primary')).toEqual(fails('is a replica'));
    await standby.promote();
    expect(await probe(standby, user, 'primary')).toEqual(ok);
    await standby.stop();
  });
});
