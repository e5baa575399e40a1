/**
 * A tcp listener in front of a PostgreSQL primary and its hot standby, under
 * clients that connect anew for each write: the primary is killed, the standby
 * promoted, and the former primary comes back as a standby. Writes go to
 * whoever is the primary and never to one that would refuse them; while there
 * is none, connections are reset.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { POSTGRES_ADVICE, postgresPrograms, PostgresServer } from '../../support/postgres-server.ts';
import { untilStatus } from '../../support/visitor.ts';
import { until, WeirProcess } from '../../support/weir-process.ts';

const CLIENTS = 4;
const READ_ONLY = '25006';

const config = (one: PostgresServer, two: PostgresServer): string => `
listeners:
  db: { protocol: tcp, bind: "127.0.0.1:0", pool: db }
pools:
  db:
    backends: ["127.0.0.1:${one.port}", "127.0.0.1:${two.port}"]
    health: { type: postgres, role: primary, user: weir, password: "\${DB_PASSWORD}", database: postgres, interval: 200ms, fastInterval: 100ms, rise: 1, fall: 2 }
admin: { bind: "127.0.0.1:0" }
drain: { delay: 0s, timeout: 0 }
`;

/** One write over a connection of its own: the port of the server that took it, or why it failed. */
async function write(port: number): Promise<number | string> {
  const client = new Client({ host: '127.0.0.1', port, user: 'app', database: 'postgres' });
  // A connection that is lost between two messages says so here.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ port: number }>('insert into written default values returning inet_server_port() as port');
    await client.end();
    return rows[0]!.port;
  } catch (error) {
    await client.end().catch(() => undefined);
    const { code, message } = error as Error & { code?: string };
    return code ?? message;
  }
}

class Load {
  /** Of each write, in order. */
  readonly outcomes: (number | string)[] = [];
  /** Of each, how many writes had begun before it. */
  readonly #begun: number[] = [];
  #count = 0;
  readonly #clients: readonly Promise<void>[];
  #isOver = false;

  constructor(port: number) {
    this.#clients = Array.from({ length: CLIENTS }, async () => {
      while (!this.#isOver) {
        const number = this.#count++;
        const outcome = await write(port);
        this.outcomes.push(outcome);
        this.#begun.push(number);
        await pause(10);
      }
    });
  }

  /** What `count` writes come to that begin from now on: those under way do not count. */
  async next(count: number): Promise<(number | string)[]> {
    const from = this.#count;
    const begunSince = (): (number | string)[] => this.outcomes.filter((_, at) => this.#begun[at]! >= from);
    await until(() => begunSince().length >= count);
    return begunSince().slice(0, count);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#clients);
  }
}

describe.skipIf(postgresPrograms === null)(`PostgreSQL behind a tcp listener${POSTGRES_ADVICE}`, () => {
  let one: PostgresServer;
  let two: PostgresServer;
  let weir: WeirProcess;
  let load: Load;

  beforeAll(async () => {
    one = await PostgresServer.start({ settings: ['log_connections=on'], rules: ['host all weir 127.0.0.1/32 scram-sha-256', 'host all app 127.0.0.1/32 trust'] });
    await one.sql("create user weir password 'pencil'; create user app; create table written (at timestamptz default now()); grant all on written to app");
    two = await one.standby();
    weir = await WeirProcess.start(config(one, two), { env: { DB_PASSWORD: 'pencil' } });
    load = new Load(weir.port('db'));
  });
  afterAll(async () => {
    await load.stop();
    await Promise.all([weir.stop(), one.stop(), two.stop()]);
  });

  const backendOf = (server: PostgresServer): string => `127.0.0.1:${server.port}`;
  const untilVerdict = (server: PostgresServer, verdict: string): Promise<unknown> =>
    untilStatus(weir, ({ pools }) => pools['db']!.backends!.some((backend) => backend.address === backendOf(server) && backend.verdict === verdict));

  test('all writes go to the primary', async () => {
    await untilVerdict(two, 'down');
    expect(new Set(await load.next(40))).toEqual(new Set([one.port]));
  });

  test('without a primary each connection is reset, and none meets the standby', async () => {
    await one.kill();
    await untilVerdict(one, 'down');
    // Which of the two it is depends on whether the client writes before it reads.
    for (const outcome of await load.next(20)) expect(['ECONNRESET', 'EPIPE']).toContain(outcome);
  });

  test('all go to the standby once it is promoted, and still do when the former primary comes back as a standby', async () => {
    await two.promote();
    await untilVerdict(two, 'up');
    expect(new Set(await load.next(40))).toEqual(new Set([two.port]));
    const before = one.log.length;
    await one.returnAsStandby();
    await until(() => one.log.slice(before).filter((line) => line.includes('connection authorized: user=weir')).length >= 3);
    expect(new Set(await load.next(40))).toEqual(new Set([two.port]));
    expect(Number(await two.sql('select count(*) from written'))).toBeGreaterThan(80);
  });

  test('no write ever met a server that takes none', () => {
    expect(load.outcomes).not.toContain(READ_ONLY);
    expect(weir.log.map(({ text }) => text).join('\n')).not.toContain('pencil');
  });
});
