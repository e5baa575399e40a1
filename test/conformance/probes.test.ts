/** What every probe type must do, over the registry: see src/control-plane/health/probe.ts. */
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { dialUdp, type DialUdp } from '../../src/net/dial-udp.ts';
import { dial, type Dial } from '../../src/net/dial.ts';
import type { ProbeDefinition, ProbeResult } from '../../src/control-plane/health/probe.ts';
import { probeDefinitions } from '../../src/control-plane/health/registry.ts';
import { authenticate, supported } from '../support/cassandra-bytes.ts';
import { DatagramBackend, refusingUdpPort } from '../support/datagram-backend.ts';
import { emptySettings, http2Frame, servingFrames } from '../support/http2-frames.ts';
import { document, opMsg, primaryFields } from '../support/mongodb-bytes.ts';
import { mysqlGreeting, mysqlOk } from '../support/mysql-transcript.ts';
import { OddBackend, refusingPort } from '../support/odd-backends.ts';
import { postgresBegin } from '../support/postgres-transcript.ts';

/** What a test needs of a backend, of whatever transport. */
interface Backend {
  readonly port: number;
  readonly connections: number;
  readonly errors: readonly string[];
  idle(): Promise<void>;
  stop(): Promise<void>;
}

/** A backend that each type calls well; a new type adds its own line. */
const well: Readonly<Record<string, () => Promise<Backend>>> = {
  cassandra: () => OddBackend.start((socket) => void socket.on('data', (request) => socket.write(request[4] === 5 ? supported : authenticate))),
  dns: () => DatagramBackend.start((query, answer) => answer(Buffer.concat([query.subarray(0, 2), Buffer.from([0x81, 0x80]), query.subarray(4)]))),
  grpc: () => OddBackend.start((socket) => void socket.once('data', () => socket.write(Buffer.concat([emptySettings, ...servingFrames])))),
  'http over HTTP/2': () => OddBackend.start((socket) => void socket.once('data', () => socket.write(Buffer.concat([emptySettings, http2Frame(1, 5, 1, Buffer.from([0x88]))])))),
  http: () => OddBackend.answering('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'),
  memcached: () => OddBackend.answering('VERSION 1.6.18\r\n', { close: false }),
  mongodb: () => OddBackend.start((socket) => void socket.once('data', () => socket.write(opMsg(document(primaryFields))))),
  mysql: () => OddBackend.start((socket) => {
    socket.write(mysqlGreeting());
    socket.once('data', () => socket.write(mysqlOk(2)));
  }),
  postgres: () => OddBackend.answering(postgresBegin.toString('latin1')),
  redis: () => OddBackend.answering('+PONG\r\n', { close: false }),
  smtp: () => OddBackend.start((socket) => void socket.on('data', (bytes) => socket.write(`${bytes.toString().startsWith('EHLO') ? '250 ok' : '221 bye'}\r\n`)).write('220 ready\r\n')),
  tcp: () => OddBackend.start((socket) => socket.resume()),
  udp: () => DatagramBackend.start((_bytes, answer) => answer('here')),
};

const overUdp = new Set(['dns', 'udp']);
/** exec opens no connection, its program does what it likes: test/control-plane/health/exec-probe.test.ts has what it must do. */
const withoutConnection = new Set(['exec']);
const types = probeDefinitions.map((definition) => ({ name: definition.name, definition }));
/** Those of HTTP/2 whatever the pool speaks have nothing else to show. */
const ways = [...types.map((type) => ({ ...type, overHttp2: false })), { name: 'http over HTTP/2', definition: types.find(({ name }) => name === 'http')!.definition, overHttp2: true }];

const running: Backend[] = [];
async function started<B extends Backend>(backend: Promise<B>): Promise<B> {
  running.push(await backend);
  return backend;
}
afterEach(async () => {
  await Promise.all(running.splice(0).map((backend) => backend.stop()));
});

interface Network {
  readonly dial: Dial;
  readonly dialUdp: DialUdp;
}

function attempt({ definition, overHttp2 }: { definition: ProbeDefinition; overHttp2: boolean }, port: number, signal = new AbortController().signal, network: Network = { dial, dialUdp }): Promise<ProbeResult> {
  return definition.probe({ host: '127.0.0.1', port, address: `127.0.0.1:${port}` }, definition.options.parse({}), { signal, ...network, clock: systemClock, overHttp2 });
}

/** This machine's network, with every socket's fate in the test's hand. */
function through(take: (socket: ReturnType<Dial> | ReturnType<DialUdp>) => void): Network {
  const taken = <Socket extends ReturnType<Dial> | ReturnType<DialUdp>>(socket: Socket): Socket => (take(socket), socket);
  return { dial: (to) => taken(dial(to)), dialUdp: (to) => taken(dialUdp(to)) };
}

it('are listed in order, once each', () => {
  const names = probeDefinitions.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)].sort());
});

it.each(types)('$name describes itself, and its defaults are plain JSON', ({ definition }) => {
  expect(definition.summary).toMatch(/^[A-Z].*\.$/);
  const defaults = definition.options.parse({});
  expect(JSON.parse(JSON.stringify(defaults))).toEqual(defaults);
  expect(definition.options.safeParse({ nonsense: 1 }).success).toBe(false);
});

describe.each(ways.filter(({ name }) => !withoutConnection.has(name)))('$name', (way) => {
  const { name } = way;
  it('passes a backend that is well, over a fresh connection each time, and leaves none', async () => {
    const backend = await started(well[name]!());
    for (let i = 0; i < 2; i++) {
      const result = await attempt(way, backend.port);
      expect(result).toMatchObject({ ok: true });
      expect(result.ok && result.latencyMs >= 0).toBe(true);
    }
    expect(backend.connections).toBe(2);
    await backend.idle();
    expect(backend.errors).toEqual([]);
  });

  it('fails where nobody listens', async () => {
    const port = await (overUdp.has(name) ? refusingUdpPort() : refusingPort());
    expect(await attempt(way, port)).toEqual({ ok: false, reason: overUdp.has(name) ? 'port unreachable' : 'connection refused', unreached: true });
  });

  it('blames this machine, not the backend, when it is out of descriptors', async () => {
    const error = Object.assign(new Error('EMFILE'), { code: 'EMFILE' });
    const failing = through((socket) => void ('destroy' in socket ? socket.destroy(error) : setImmediate(() => socket.emit('error', error))));
    expect(await attempt(way, 1, undefined, failing)).toEqual({ ok: false, reason: 'out of file descriptors', unreached: true, ours: true });
  });

  it('settles when told to give up, before it began and in the middle, and closes its connection', async () => {
    const gone = new AbortController();
    gone.abort();
    const silent = await started<Backend>(overUdp.has(name) ? DatagramBackend.start() : OddBackend.start((socket) => socket.resume()));
    expect((await attempt(way, silent.port, gone.signal)).ok).toBe(false);

    const controller = new AbortController();
    const closed: Promise<unknown>[] = [];
    const aborting = through((socket) => {
      closed.push(new Promise((resolve) => socket.once('close', resolve)));
      socket.once('connect', () => setImmediate(() => controller.abort()));
    });
    await attempt(way, silent.port, controller.signal, aborting);
    await Promise.all(closed);
    expect(closed).toHaveLength(1);
    await silent.idle();
  });
});
