/**
 * Both ends of what is relayed: `origin` is the backend, `load` the clients.
 * The origin does as a connection's first byte says: `D` and a number sends so
 * many bytes and ends, `U` takes bytes and answers at their end, anything else
 * is sent back. The load process is told one piece of work at a time over IPC.
 */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export type TcpWork =
  /** `connections` at once; each carries `bytes` from the backend, or to it. */
  | { readonly kind: 'down' | 'up'; readonly port: number; readonly connections: number; readonly bytes: number }
  /** `count` connections, so many at once, one exchange of 64 bytes each. */
  | { readonly kind: 'connect'; readonly port: number; readonly connections: number; readonly count: number }
  /** Opens them, with one exchange each, and keeps them. */
  | { readonly kind: 'hold'; readonly port: number; readonly count: number }
  | { readonly kind: 'release' }
  /** New connections at a fixed rate, until `stop`; then tells of those that were not served. */
  | { readonly kind: 'rate'; readonly port: number; readonly perSecond: number }
  | { readonly kind: 'stop' };

export interface TcpDone {
  /** Bytes for `down` and `up`, connections for the others. */
  readonly done: number;
  /** What failed, by its cause. */
  readonly lost: Readonly<Record<string, number>>;
}

const PART = Buffer.alloc(256 * 1024, 'a');
const SMALL = Buffer.alloc(64, 'b');
/** Read into by all, and not looked at. */
const sink = Buffer.alloc(512 * 1024);
const OPENING_MAX = 200;
/** A connection that takes longer counts as lost. */
const SERVED_WITHIN_MS = 5000;

function pour(socket: Socket, bytes: number): void {
  let left = bytes;
  const more = (): void => {
    while (left > 0) {
      const part = left < PART.length ? PART.subarray(0, left) : PART;
      left -= part.length;
      if (!socket.write(part)) return void socket.once('drain', more);
    }
    socket.end();
  };
  more();
}

function runOrigin(): void {
  const acceptor = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (first: Buffer) => {
      const kind = String.fromCharCode(first[0]!);
      if (kind === 'D') {
        socket.resume();
        return pour(socket, Number(first.subarray(1).toString()));
      }
      if (kind === 'U') return void socket.on('data', () => undefined).on('end', () => socket.end('taken'));
      socket.write(first);
      socket.on('data', (bytes: Buffer) => socket.write(bytes)).on('end', () => socket.end());
    });
  });
  acceptor.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => process.send!((acceptor.address() as AddressInfo).port));
}

let lost: Record<string, number> = {};
function lose(cause: string): void {
  lost[cause] = (lost[cause] ?? 0) + 1;
}

function bulk(kind: 'down' | 'up', port: number, bytes: number): Promise<number> {
  return new Promise((resolve) => {
    let received = 0;
    const onread = { buffer: sink, callback: (count: number) => (received += count) >= 0 };
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, onread }, () => {
      if (kind === 'down') socket.write(`D${bytes}`);
      else {
        socket.write('U');
        pour(socket, bytes);
      }
    });
    socket.on('error', (error) => lose(error.message));
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      const isWhole = kind === 'down' ? received === bytes : received === 'taken'.length;
      if (!isWhole) lose('incomplete');
      resolve(isWhole ? bytes : 0);
    });
  });
}

/** One connection with one exchange; false, and its cause counted: it was not served. */
function visit(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    let received = 0;
    let cause = 'closed early';
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => socket.write(SMALL));
    const late = setTimeout(() => {
      cause = 'not in time';
      socket.destroy();
    }, SERVED_WITHIN_MS);
    socket.on('data', (bytes: Buffer) => {
      received += bytes.length;
      if (received === SMALL.length) socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => (cause = error.code ?? error.message));
    socket.on('close', () => {
      clearTimeout(late);
      const isServed = received === SMALL.length;
      if (!isServed) lose(cause);
      resolve(isServed);
    });
  });
}

async function connects(port: number, connections: number, count: number): Promise<number> {
  let left = count;
  let done = 0;
  await Promise.all(Array.from({ length: connections }, async () => {
    while (left-- > 0) if (await visit(port)) done++;
  }));
  return done;
}

const held: Socket[] = [];

async function hold(port: number, count: number): Promise<number> {
  const one = (): Promise<void> => new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(SMALL));
    held.push(socket);
    socket.once('data', () => resolve());
    socket.on('error', reject);
  });
  for (let opened = 0; opened < count; opened += OPENING_MAX) await Promise.all(Array.from({ length: Math.min(OPENING_MAX, count - opened) }, one));
  return held.length;
}

function release(): number {
  const still = held.filter((socket) => !socket.destroyed).length;
  for (const socket of held.splice(0)) socket.destroy();
  return still;
}

interface Running {
  readonly timer: NodeJS.Timeout;
  readonly visits: Promise<boolean>[];
}
let running: Running | null = null;

function startRate(port: number, perSecond: number): number {
  const startMs = performance.now();
  const visits: Promise<boolean>[] = [];
  const timer = setInterval(() => {
    for (const due = ((performance.now() - startMs) / 1000) * perSecond; visits.length < due; ) visits.push(visit(port));
  }, 2);
  running = { timer, visits };
  return 0;
}

async function stopRate(): Promise<number> {
  const { timer, visits } = running!;
  clearInterval(timer);
  return (await Promise.all(visits)).length;
}

function work(order: TcpWork): number | Promise<number> {
  switch (order.kind) {
    case 'down':
    case 'up':
      return Promise.all(Array.from({ length: order.connections }, () => bulk(order.kind, order.port, order.bytes))).then((each) => each.reduce((sum, bytes) => sum + bytes, 0));
    case 'connect':
      return connects(order.port, order.connections, order.count);
    case 'hold':
      return hold(order.port, order.count);
    case 'release':
      return release();
    case 'rate':
      return startRate(order.port, order.perSecond);
    case 'stop':
      return stopRate();
  }
}

async function onOrder(order: TcpWork): Promise<void> {
  if (order.kind !== 'stop') lost = {};
  const done = await work(order);
  process.send!({ done, lost } satisfies TcpDone);
}

if (process.argv[2] === 'origin') runOrigin();
else process.on('message', (order: TcpWork) => void onOrder(order));
process.once('disconnect', () => process.exit(0));
