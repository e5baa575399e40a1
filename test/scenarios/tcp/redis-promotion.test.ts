/**
 * ioredis clients that write without pause through a tcp listener, in front of
 * a Redis primary and its replica: the replica is promoted and the former
 * primary becomes its replica. Every write that was acknowledged is on the new
 * primary, none ever met a server that takes none, and all go on by themselves.
 */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RedisServer } from '../../support/redis-server.ts';
import { untilStatus } from '../../support/visitor.ts';
import { until, WeirProcess } from '../../support/weir-process.ts';

const CLIENTS = 4;

const config = (...ports: readonly number[]): string => `
listeners:
  db: { protocol: tcp, bind: "127.0.0.1:0", pool: db }
pools:
  db:
    backends: ${JSON.stringify(ports.map((port) => `127.0.0.1:${port}`))}
    health: { type: redis, role: primary, interval: 200ms, fastInterval: 100ms, rise: 1, fall: 2 }
admin: { bind: "127.0.0.1:0" }
drain: { delay: 0s, timeout: 0 }
`;

/** Adds a number of its own to a set, one after the other. */
class Writer {
  readonly key: string;
  readonly acknowledged: number[] = [];
  readonly errors: string[] = [];
  readonly #client: Redis;
  readonly #loop: Promise<void>;
  #isOver = false;

  constructor(port: number, key: string) {
    this.key = key;
    this.#client = new Redis({ port, host: '127.0.0.1', maxRetriesPerRequest: 0, retryStrategy: () => 20 });
    this.#client.on('error', () => undefined);
    this.#loop = this.#write();
  }

  async #write(): Promise<void> {
    for (let number = 0; !this.#isOver; number++) {
      try {
        await this.#client.sadd(this.key, number);
        this.acknowledged.push(number);
      } catch (error) {
        this.errors.push((error as Error).message);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#loop;
    this.#client.disconnect();
  }
}

let one: RedisServer;
let two: RedisServer;
let weir: WeirProcess;
let writers: Writer[];

beforeAll(async () => {
  one = await RedisServer.start();
  two = await RedisServer.start({ config: [`replicaof 127.0.0.1 ${one.port}`] });
  weir = await WeirProcess.start(config(one.port, two.port), { args: ['--workers', '2'] });
  await untilPrimary(one);
  writers = Array.from({ length: CLIENTS }, (_, at) => new Writer(weir.port('db'), `written ${at}`));
}, 60_000);
afterAll(async () => {
  await Promise.all((writers ?? []).map((writer) => writer.stop()));
  await Promise.all([weir?.stop(), one?.stop(), two?.stop()]);
});

const untilPrimary = (server: RedisServer): Promise<unknown> => untilStatus(weir, ({ pools }) => pools['db']!.role?.primary === `127.0.0.1:${server.port}`);

/** Each has had so many more acknowledged. */
async function goOn(count: number): Promise<void> {
  const wanted = writers.map(({ acknowledged }) => acknowledged.length + count);
  await until(() => writers.every(({ acknowledged }, at) => acknowledged.length >= wanted[at]!));
}

test('a promotion under load loses no acknowledged write, and nobody meets a replica', async () => {
  await goOn(50);
  expect(writers.flatMap(({ errors }) => errors)).toEqual([]);
  // In the order of those who do it by hand: writes stop, the replica has them all, it is promoted.
  await one.client().call('CLIENT', 'PAUSE', '5000', 'WRITE');
  const offset = async (server: RedisServer): Promise<string> => /(?:master|slave)_repl_offset:(\d+)/.exec(String(await server.client().call('INFO', 'replication')))![1]!;
  await until(async () => (await offset(one)) === (await offset(two)));
  await two.client().call('REPLICAOF', 'NO', 'ONE');
  await one.client().call('REPLICAOF', '127.0.0.1', String(two.port));
  await untilPrimary(two);
  await goOn(50);
  await Promise.all(writers.map((writer) => writer.stop()));

  for (const { key, acknowledged } of writers) {
    const kept = new Set((await two.client().call('SMEMBERS', key)) as string[]);
    expect(acknowledged.filter((number) => !kept.has(String(number)))).toEqual([]);
  }
  const errors = writers.flatMap((writer) => writer.errors);
  // Each was cut off from the former primary once, in order or with a write under way; what came of tries since then is no word of a server's.
  expect(errors.length).toBeGreaterThan(0);
  expect(errors.filter((text) => /READONLY|MOVED|LOADING|UNBLOCKED/.test(text))).toEqual([]);
});
