/**
 * What single steps of the store cost Redis: CPU time of its main thread, from
 * the kernel's accounting, so that other work on the machine counts for little
 * of it. A PING stands beside them, which is what any command costs: reading
 * and writing a socket.
 */
import { readFileSync } from 'node:fs';
import { REPORTS_AT_ONCE } from '../../src/control-plane/membership/standing-reports.ts';
import { hintsChannel } from '../../src/control-plane/store/redis/scripts.ts';
import { PUBLISH_BYTES_MAX, type VerdictReport } from '../../src/control-plane/store/tier-store.ts';
import { redisStore } from '../../test/support/redis-rig.ts';
import { RedisServer } from '../../test/support/redis-server.ts';
import { HEARTBEAT_MS, waitMs } from './bench-tier.ts';
import type { Figure } from './figure.ts';
import { BESIDE, RedisMember } from './redis-member.ts';

const CALLS = 1000;
/** Longer than hints are apart, so that a call finds none waiting. */
const SETTLES_MS = 120;
const THOUSAND = 1000;
const SHARE_WINDOW_MS = 5000;
const PUBLISHED = 20;

/** CPU time that its main thread has had. */
class RedisCpu {
  readonly #file: string;

  private constructor(pid: string) {
    this.#file = `/proc/${pid}/task/${pid}/schedstat`;
  }

  static async of(server: RedisServer): Promise<RedisCpu> {
    return new RedisCpu(/process_id:(\d+)/.exec(await server.client().info('server'))![1]!);
  }

  us(): number {
    return Number(readFileSync(this.#file, 'utf8').split(' ')[0]) / 1000;
  }

  async spentOn(work: () => Promise<unknown>): Promise<number> {
    const before = this.us();
    await work();
    return this.us() - before;
  }
}

async function times(count: number, work: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < count; i++) await work();
}

function reportsOf(round: number, count: number, verdict: 'up' | 'down'): VerdictReport[] {
  return Array.from({ length: count }, (_, i) => ({ check: `10.${round}.${i >> 8}.${i & 255}:8080 Zk3vQ1sXo9TqLm4a`, verdict, reason: verdict === 'up' ? 'probe passed' : 'timed out after 500 ms', atMs: 1_764_380_000_000 + i }));
}

export async function redisCostRows(rounds: number): Promise<Figure[]> {
  const server = await RedisServer.start();
  const { store } = redisStore(server.url, { tier: 'cost' });
  try {
    const cpu = await RedisCpu.of(server);
    const members = ['a', 'b', 'c'].map((id) => new RedisMember(store, id));
    for (const member of members) await member.join();
    return [...(await quietRows(cpu, server, members, rounds)), ...(await reportRows(cpu, members, rounds))];
  } finally {
    await store.close();
    await server.stop();
  }
}

async function quietRows(cpu: RedisCpu, server: RedisServer, members: readonly RedisMember[], rounds: number): Promise<Figure[]> {
  const figures = { ping: [] as number[], quiet: [] as number[], telling: [] as number[] };
  const [member] = members as [RedisMember];
  await waitMs(SETTLES_MS);
  for (const each of members) await each.readOn();
  for (let round = 0; round < 3 * rounds; round++) {
    figures.ping.push((await cpu.spentOn(() => times(CALLS, () => server.client().ping()))) / CALLS);
    figures.quiet.push((await cpu.spentOn(() => times(CALLS, () => member.call()))) / CALLS);
    figures.telling.push((await cpu.spentOn(() => times(CALLS, () => member.call({ beside: BESIDE })))) / CALLS);
  }
  return [
    { what: 'CPU of Redis: a PING', unit: 'µs', values: figures.ping, atMost: null },
    { what: '… a quiet heartbeat, above a PING', unit: 'µs', values: figures.quiet.map((us, at) => us - figures.ping[at]!), atMost: 12 },
    { what: `… one that leaves ${BESIDE.length} bytes beside its record, above a PING`, unit: 'µs', values: figures.telling.map((us, at) => us - figures.ping[at]!), atMost: null },
  ];
}

async function reportRows(cpu: RedisCpu, [a, b, c]: readonly RedisMember[], rounds: number): Promise<Figure[]> {
  const figures = { first: [] as number[], other: [] as number[], contrary: [] as number[], deciding: [] as number[], page: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    const up = reportsOf(round, REPORTS_AT_ONCE, 'up');
    const down = reportsOf(round, REPORTS_AT_ONCE, 'down');
    const step = async (values: number[], member: RedisMember, reports: readonly VerdictReport[]): Promise<void> => {
      // Nothing to be read, and no message to be sent, in the call that is measured.
      await waitMs(SETTLES_MS);
      await member.call();
      await member.readOn();
      values.push((await cpu.spentOn(() => member.call({ reports }))) / 1000);
    };
    await step(figures.first, a!, up);
    await step(figures.other, b!, up);
    await step(figures.other, c!, up);
    await step(figures.contrary, a!, down);
    await step(figures.deciding, b!, down);
    c!.forgetWhatWasRead();
    figures.page.push((await cpu.spentOn(() => c!.call())) / 1000);
    await c!.readOn();
  }
  const said = `${REPORTS_AT_ONCE} reports`;
  return [
    { what: `… ${said} on new checks, which become as many verdicts`, unit: 'ms', values: figures.first, atMost: 3 },
    { what: '… the same from the second and the third prober, which change nothing', unit: 'ms', values: figures.other, atMost: 3 },
    { what: `… ${said} that contradict their verdicts, from the first`, unit: 'ms', values: figures.contrary, atMost: 3 },
    { what: '… from the second: as many verdicts change', unit: 'ms', values: figures.deciding, atMost: 3 },
    { what: '… the first page of a whole reading', unit: 'ms', values: figures.page, atMost: 3 },
  ];
}

/** A thousand members, each over connections of its own, as many proxies have them. */
export async function thousandRows(): Promise<Figure[]> {
  const server = await RedisServer.start({ config: ['maxclients 4000'] });
  const stores = Array.from({ length: THOUSAND }, () => redisStore(server.url, { tier: 'thousand' }).store);
  try {
    const cpu = await RedisCpu.of(server);
    let heard = 0;
    for (const store of stores) store.subscribe(() => heard++);
    const members = stores.map((store, i) => new RedisMember(store, `m${i}`));
    await Promise.all(members.map((member) => member.join()));
    await waitMs(2 * HEARTBEAT_MS);
    // Twice: what the last to join changed is read, and then nothing is left.
    for (let i = 0; i < 2; i++) await Promise.all(members.map((member) => member.readOn()));
    const quiet = await atHeartbeats(cpu, (at) => members[at]!.call({ beside: BESIDE }));
    const pings = await pingsOf(cpu, server);
    const messages = await published(cpu, server, () => heard);
    return [
      { what: `Redis's CPU under ${THOUSAND} members, quiet: share of a core`, unit: '%', values: quiet.shares, atMost: null },
      { what: '… for each of their calls', unit: 'µs', values: quiet.perCall, atMost: null },
      { what: '… for a PING from each instead', unit: 'µs', values: pings.perCall, atMost: null },
      { what: `… for a message of ${PUBLISH_BYTES_MAX} bytes to ${THOUSAND} subscribers`, unit: 'ms', values: messages, atMost: 2.5 },
    ];
  } finally {
    await Promise.all(stores.map((store) => store.close()));
    await server.stop();
  }
}

/** What Redis takes for commands that come one by one: it sleeps before each of them. */
async function pingsOf(cpu: RedisCpu, server: RedisServer): Promise<Paced> {
  const clients = Array.from({ length: THOUSAND }, () => server.client().duplicate());
  try {
    await Promise.all(clients.map((client) => client.ping()));
    return await atHeartbeats(cpu, (at) => clients[at]!.ping());
  } finally {
    for (const client of clients) client.disconnect();
  }
}

interface Paced {
  readonly shares: readonly number[];
  readonly perCall: readonly number[];
}

/** Each of a thousand calls once a heartbeat, the calls evenly apart. */
async function atHeartbeats(cpu: RedisCpu, call: (at: number) => Promise<unknown>): Promise<Paced> {
  const [shares, perCall]: [number[], number[]] = [[], []];
  for (let round = 0; round < 3; round++) {
    const [beforeUs, fromMs] = [cpu.us(), performance.now()];
    const calls: Promise<unknown>[] = [];
    while (performance.now() - fromMs < SHARE_WINDOW_MS) {
      const due = Math.floor(((performance.now() - fromMs) * THOUSAND) / HEARTBEAT_MS);
      while (calls.length < due) calls.push(call(calls.length % THOUSAND));
      await waitMs(1);
    }
    await Promise.all(calls);
    const us = cpu.us() - beforeUs;
    shares.push((100 * us) / ((performance.now() - fromMs) * 1000));
    perCall.push(us / calls.length);
  }
  return { shares, perCall };
}

async function published(cpu: RedisCpu, server: RedisServer, heard: () => number): Promise<number[]> {
  const text = JSON.stringify({ run: '', verdictsFrom: 0, verdictsTo: 0, verdicts: null, operatorStates: 0, config: 0, suspicions: null, filled: '' });
  const message = `${text.slice(0, -2)}${'x'.repeat(PUBLISH_BYTES_MAX - text.length)}"}`;
  const values: number[] = [];
  for (let round = 0; round < PUBLISHED; round++) {
    const from = heard();
    const receivers: { count: number } = { count: 0 };
    const us = await cpu.spentOn(async () => {
      receivers.count = await server.client().publish(hintsChannel('thousand'), message);
      while (heard() - from < THOUSAND) await waitMs(1);
    });
    if (receivers.count !== THOUSAND) throw new Error(`${receivers.count} subscribers, not ${THOUSAND}`);
    values.push(us / 1000);
  }
  return values;
}
