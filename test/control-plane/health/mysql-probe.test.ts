/** Against a real MariaDB, and a stand-in for the login that only MySQL has. */
import { connect } from 'node:net';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { mysqlProbe } from '../../../src/control-plane/health/mysql-probe.ts';
import type { ProbeResult } from '../../../src/control-plane/health/probe.ts';
import { dialUdp } from '../../../src/net/dial-udp.ts';
import { dial, type Dial } from '../../../src/net/dial.ts';
import { hasMariadb, MARIADB_ADVICE, MariadbServer } from '../../support/mariadb-server.ts';
import { Sha2Server } from '../../support/sha2-server.ts';
import { until } from '../../support/weir-process.ts';

const PASSWORD = 'pencil & Ⅸ, longer than the scramble';
const ok = { ok: true, latencyMs: expect.any(Number) as number };
const fails = (reason: string): unknown => ({ ok: false, reason });

/** The server keeps no book of 127.0.0.1; of any other address of the loopback it does, as of any host. */
const dialFrom = (localAddress: string): Dial => (to) => connect({ host: to.address, port: to.port, localAddress, noDelay: true });

function probe(port: number, options: Record<string, unknown> = {}, role?: 'primary', from: Dial = dial): Promise<ProbeResult> {
  const wanted = { ...mysqlProbe.options.parse(options), ...(role === undefined ? {} : { role }) };
  return mysqlProbe.probe({ host: '127.0.0.1', port, address: `127.0.0.1:${port}` }, wanted, { signal: new AbortController().signal, dial: from, dialUdp, clock: systemClock });
}

describe.skipIf(!hasMariadb)(`a real MariaDB${MARIADB_ADVICE}`, () => {
  let server: MariadbServer;
  const statements = [
    'create user weir', `create user native identified by '${PASSWORD}'`, 'create database shop', 'create user local identified via unix_socket',
  ];
  beforeAll(async () => {
    server = await MariadbServer.start({ statements, settings: ['--max-connect-errors=3', '--character-set-server=utf8mb4'] });
  });
  afterAll(() => server.stop());

  const counted = async (): Promise<Record<string, string>> => {
    const rows = await server.sql("show global status where variable_name like 'aborted_%'");
    return Object.fromEntries(rows.map((row) => [row['Variable_name'] as string, row['Value'] as string]));
  };

  it('lets a user in, with a password and without, and answers a query', async () => {
    expect(await probe(server.port)).toEqual(ok);
    expect(await probe(server.port, { user: 'native', password: PASSWORD, query: 'select 1' }, 'primary')).toEqual(ok);
  });

  it.each([
    { options: { user: 'native', password: 'paper' }, reason: "1045 Access denied for user 'native'@'localhost' (using password: YES)" },
    { options: { user: 'nobody' }, reason: "1045 Access denied for user 'nobody'@'localhost' (using password: NO)" },
    { options: { database: 'shop' }, reason: "1044 Access denied for user 'weir'@'%' to database 'shop'" },
    { options: { user: 'local', password: PASSWORD }, reason: "1698 Access denied for user 'local'@'localhost'" },
    { options: { query: 'select * from shop.cart' }, reason: "query failed: 1142 SELECT command denied to user 'weir'@'localhost' for table `shop`.`cart`" },
    { options: { query: 'select 1 from dual where false' }, reason: 'query found no row' },
    { options: { query: "load data local infile '/etc/passwd' into table shop.cart" }, reason: 'query failed: 4166 The used command is not allowed because the MariaDB server or client has disabled the local infile ca…' },
  ])('fails $options: $reason', async ({ options, reason }) => {
    expect(await probe(server.port, options)).toEqual(fails(reason));
  });

  it('that takes no writes is not a primary until it does', async () => {
    await server.sql('set global read_only = on');
    expect(await probe(server.port)).toEqual(ok);
    expect(await probe(server.port, {}, 'primary')).toEqual(fails('is read-only'));
    await server.sql('set global read_only = off');
    expect(await probe(server.port, {}, 'primary')).toEqual(ok);
  });

  it('does not count hundreds of probes as aborted, nor block their host, though it would', async () => {
    // Connections that are closed without a login do just that: it is what a tcp probe does.
    const closeAtOnce = (): Promise<string> =>
      new Promise((resolve) => {
        let answer = '';
        const socket = dialFrom('127.0.0.3')({ address: '127.0.0.1', port: server.port });
        socket.on('data', (bytes) => (answer += bytes.toString('latin1')));
        socket.once('data', () => socket.end());
        socket.once('close', () => resolve(answer));
      });
    for (let i = 0; i < 4; i++) await closeAtOnce();
    expect(await probe(server.port, {}, undefined, dialFrom('127.0.0.3'))).toMatchObject({ ok: false, reason: expect.stringContaining("1129 Host '127.0.0.3' is blocked because of many connection errors") as string });

    const before = await counted();
    for (let i = 0; i < 300; i++) expect(await probe(server.port, { query: 'select 1' }, i % 2 === 0 ? 'primary' : undefined, dialFrom('127.0.0.2'))).toEqual(ok);
    await until(async () => Number((await server.sql("show global status like 'threads_connected'"))[0]!['Value']) === 1);
    expect(await counted()).toEqual(before);
  });

  it('does not block a host whose probes it refuses', async () => {
    for (let i = 0; i < 10; i++) expect(await probe(server.port, { user: 'nobody' }, undefined, dialFrom('127.0.0.4'))).toMatchObject({ ok: false });
    expect(await probe(server.port, {}, undefined, dialFrom('127.0.0.4'))).toEqual(ok);
  });
});

describe('caching_sha2_password, of a stand-in', () => {
  it('gets the password under its key once, and a hash of it from then on', async () => {
    const server = await Sha2Server.start(PASSWORD);
    for (let i = 0; i < 3; i++) expect(await probe(server.port, { password: PASSWORD })).toEqual(ok);
    await until(() => server.events.length === 6);
    expect(server.events).toEqual(['full', 'quit', 'fast', 'quit', 'fast', 'quit']);
    expect(await probe(server.port, { password: 'paper' })).toEqual(fails('1045 wrong password'));
    expect(server.events.slice(6)).toEqual(['refused']);
    await server.stop();
  });

  it('takes the official client for the same', async () => {
    const server = await Sha2Server.start(PASSWORD);
    for (let i = 0; i < 2; i++) {
      const client = await createConnection({ host: '127.0.0.1', port: server.port, user: 'weir', password: PASSWORD });
      await client.end();
    }
    expect(server.events.filter((event) => event !== 'quit' && event !== 'lost')).toEqual(['full', 'fast']);
    await server.stop();
  });
});
