/** The soak's clients: each visit is one of several kinds, and many break off at a point that a seeded generator chose. */
import { once } from 'node:events';
import { request as httpRequest, type Agent, type ClientRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../../src/base/random.ts';

/** What became of the visits. `wrong`: an answer that is not the one to its request; there must be none. */
export class VisitTally {
  answered = 0;
  /** We broke it off. */
  aborted = 0;
  /** 502, 503 or 504: an origin was away. */
  unavailable = 0;
  /** The connection ended before the answer did, and not by us. */
  cut = 0;
  wrong = 0;
  firstWrong = '';

  noteWrong(what: string): void {
    this.wrong++;
    if (this.firstWrong === '') this.firstWrong = what;
  }
}

export interface Visitor {
  readonly port: number;
  readonly random: Random;
  readonly tally: VisitTally;
  /** Of this visitor alone. */
  readonly agent: Agent;
}

const SIZES = [0, 1, 100, 5000, 16_384, 65_536, 300_000, 1 << 20];
const ABORT_SHARE = 0.3;

function pick<T>(random: Random, among: readonly T[]): T {
  return among[random.below(among.length)]!;
}

interface Ask {
  readonly method?: string;
  readonly path: string;
  readonly agent?: Agent | false;
  readonly headers?: Record<string, string>;
  readonly body?: (outgoing: ClientRequest) => Promise<void>;
  readonly expectedBytes?: number;
  readonly expectedText?: string;
  readonly readsSlowly?: boolean;
}

/** One exchange, watched: ends with one more in the tally. */
async function ask({ port, random, tally, agent }: Visitor, what: Ask): Promise<void> {
  const outgoing = httpRequest({ host: '127.0.0.1', port, method: what.method ?? 'GET', path: what.path, agent: what.agent ?? agent, headers: what.headers ?? {} });
  let isAborted = false;
  const abort = (): void => {
    isAborted = true;
    if (random.below(2) === 0 && outgoing.socket !== null) reset(outgoing.socket);
    outgoing.destroy();
  };
  const timer = random.next() < ABORT_SHARE ? setTimeout(abort, random.below(80)) : undefined;
  outgoing.on('error', () => undefined);
  const answer = new Promise<IncomingMessage | null>((resolve) => {
    outgoing.once('response', resolve);
    outgoing.once('close', () => resolve(null));
  });
  // Sent while the answer is awaited: an early one that nobody reads would keep the rest of the body from going anywhere.
  const sending = what.body === undefined ? void outgoing.end() : what.body(outgoing).catch(() => undefined);
  try {
    const incoming = await answer;
    if (incoming === null) throw new Error('no answer');
    await check(incoming, what, tally);
  } catch {
    if (isAborted) tally.aborted++;
    else tally.cut++;
  } finally {
    clearTimeout(timer);
    if (!outgoing.writableEnded) outgoing.destroy();
    await sending;
  }
}

async function check(incoming: IncomingMessage, what: Ask, tally: VisitTally): Promise<void> {
  let bytes = 0;
  let text = '';
  for await (const chunk of incoming) {
    bytes += (chunk as Buffer).length;
    if (what.expectedText !== undefined) text += (chunk as Buffer).toString('latin1');
    if (what.readsSlowly === true) await pause(5);
  }
  const { statusCode, headers } = incoming;
  if (statusCode === 502 || statusCode === 503 || statusCode === 504) tally.unavailable++;
  else if (statusCode !== 200 || headers['x-path'] !== what.path) tally.noteWrong(`${what.path}: ${statusCode}, of ${String(headers['x-path'])}`);
  else if (what.expectedBytes !== undefined && bytes !== what.expectedBytes) tally.noteWrong(`${what.path}: ${bytes} bytes`);
  else if (what.expectedText !== undefined && text !== what.expectedText) tally.noteWrong(`${what.path}: "${text}"`);
  else tally.answered++;
}

async function write(outgoing: ClientRequest, part: Buffer): Promise<void> {
  if (outgoing.destroyed) throw new Error('gone');
  if (outgoing.write(part)) return;
  await new Promise<void>((resolve) => {
    const goOn = (): void => {
      outgoing.off('drain', goOn).off('close', goOn);
      resolve();
    };
    outgoing.on('drain', goOn).on('close', goOn);
  });
}

/** While its end is being sent a socket cannot be reset (EINVAL), and would never say that it closed. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** A connection by hand, for what http.request does not send; it is gone after `lifeMs` at the latest. */
async function byHand({ port, random }: Visitor, lifeMs: number, talk: (socket: Socket) => Promise<void> | void): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  const late = setTimeout(() => reset(socket), random.below(lifeMs));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await Promise.race([once(socket, 'connect').then(() => talk(socket)).catch(() => undefined), closed]);
  await closed;
  clearTimeout(late);
}

/** How often each kind comes; those that take long are few, or nobody else would have a turn. */
const SHARES: Readonly<Record<string, number>> = { kept: 8, once: 6, upload: 4, pipelined: 2, slowReader: 1, drip: 1, unread: 1, halfHead: 1, webSocket: 1 };
const drawn = Object.entries(SHARES).flatMap(([kind, share]) => Array.from({ length: share }, () => kind));

/** A visit that is under way. */
export interface Visit {
  readonly kind: string;
  readonly ended: Promise<void>;
}

export function visitAtRandom(visitor: Visitor): Visit {
  const kind = pick(visitor.random, drawn);
  return { kind, ended: visits[kind]!(visitor) };
}

const visits: Readonly<Record<string, (visitor: Visitor) => Promise<void>>> = {
  async kept(visitor) {
    for (let left = 1 + visitor.random.below(8); left > 0; left--) {
      const bytes = pick(visitor.random, SIZES);
      await ask(visitor, { path: `/size/${bytes}${visitor.random.below(2) === 0 ? '' : '?chunked'}`, expectedBytes: bytes });
    }
  },
  async once(visitor) {
    const bytes = pick(visitor.random, SIZES);
    await ask(visitor, { path: `/size/${bytes}`, agent: false, headers: { connection: 'close' }, expectedBytes: bytes });
  },
  async upload(visitor) {
    const part = Buffer.alloc(1 + visitor.random.below(60_000), 'u');
    const parts = 1 + visitor.random.below(20);
    const isChunked = visitor.random.below(2) === 0;
    const send = async (outgoing: ClientRequest): Promise<void> => {
      for (let i = 0; i < parts; i++) await write(outgoing, part);
      outgoing.end();
    };
    const headers: Record<string, string> = isChunked ? {} : { 'content-length': String(part.length * parts) };
    await ask(visitor, { method: 'POST', path: '/upload', headers, body: send, expectedText: String(part.length * parts) });
  },
  async slowReader(visitor) {
    await ask(visitor, { path: `/size/${1 << 20}`, readsSlowly: true, expectedBytes: 1 << 20 });
  },
  async drip(visitor) {
    const count = 1 + visitor.random.below(10);
    await ask(visitor, { path: `/drip/${count}`, expectedBytes: 4 * count });
  },
  async pipelined(visitor) {
    await byHand(visitor, 300, (socket) => {
      socket.resume();
      socket.write('GET /size/5000 HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(1 + visitor.random.below(20)));
      if (visitor.random.below(2) === 0) socket.end();
    });
    visitor.tally.aborted++;
  },
  async unread(visitor) {
    await byHand(visitor, 1500, (socket) => {
      socket.pause();
      socket.write(`GET /size/${1 << 20} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(8));
    });
    visitor.tally.aborted++;
  },
  async halfHead(visitor) {
    const request = `POST /upload HTTP/1.1\r\nHost: a\r\nX-Filling: ${'y'.repeat(visitor.random.below(3000))}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`;
    await byHand(visitor, 400, async (socket) => {
      socket.resume();
      const end = visitor.random.below(request.length);
      for (let at = 0; at < end && !socket.destroyed; at += 400) {
        socket.write(request.slice(at, Math.min(at + 400, end)));
        await pause(5);
      }
    });
    visitor.tally.aborted++;
  },
  async webSocket(visitor) {
    await byHand(visitor, 1000, async (socket) => {
      socket.write('GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      for (let i = 0; i < 20 && !socket.destroyed; i++) {
        socket.write(Buffer.alloc(128, 'w'));
        await once(socket, 'data');
        await pause(10);
      }
      socket.end();
    });
    visitor.tally.aborted++;
  },
};
