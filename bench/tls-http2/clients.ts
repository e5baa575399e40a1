/**
 * The clients whose handshakes are looked at, and those that hold connections;
 * a process of its own, which is told one piece of work at a time over IPC.
 * Whatever is not as it was asked for ends the work with what was wrong: a
 * handshake that was not resumed, other terms of TLS, an answer cut short.
 */
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, type TLSSocket } from 'node:tls';
import { FLAG, FRAME, PREFACE } from '../../src/data-plane/parse/http2-frames.ts';
import { http2Frame } from '../../test/support/http2-frames.ts';
import { headersFrame } from '../../test/support/http2-raw-client.ts';
import { SMALL_BODY } from '../load/scenarios.ts';
import { checkTerms } from './check.ts';
import { GROUP } from './fronts.ts';

export type Work =
  | { readonly kind: 'handshakes'; readonly port: number; readonly count: number; readonly resumes: boolean }
  | { readonly kind: 'hold'; readonly port: number; readonly count: number; readonly http: 1 | 2; readonly isSecure: boolean }
  | { readonly kind: 'release' };

export type Report = { readonly done: number } | { readonly failure: string };

const CLIENTS = 16;
const OPENING_MAX = 50;
const WITHIN_MS = 20_000;
/** Read once for all connections; who shows itself was checked before. */
const context = createSecureContext({ ecdhCurve: GROUP });
const REQUEST = Buffer.from('GET /small HTTP/1.1\r\nHost: bench.example\r\n\r\n');
const LAST_REQUEST = Buffer.from('GET /small HTTP/1.1\r\nHost: bench.example\r\nConnection: close\r\n\r\n');

function dial(port: number, protocol: string, session: Buffer | null): TLSSocket {
  return connectTls({ port, host: '127.0.0.1', servername: 'bench.example', secureContext: context, ALPNProtocols: [protocol], rejectUnauthorized: false, ...(session === null ? {} : { session }) });
}

/** One connection with one request; resolves with its newest session once it is closed. */
async function visit(port: number, session: Buffer | null, isResumed: boolean): Promise<Buffer | null> {
  const socket = dial(port, 'http/1.1', session);
  let newest: Buffer | null = null;
  let text = '';
  socket.on('session', (bytes) => (newest = bytes));
  socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
  socket.setTimeout(WITHIN_MS, () => socket.destroy(new Error('no answer in time')));
  await once(socket, 'secureConnect');
  checkTerms(socket, 'http/1.1');
  if (socket.isSessionReused() !== isResumed) throw new Error(isResumed ? 'a session was not taken up again' : 'a session was taken up again that nobody showed');
  socket.write(LAST_REQUEST);
  await once(socket, 'close');
  if (!text.startsWith('HTTP/1.1 200') || !text.endsWith(SMALL_BODY)) throw new Error(`the answer was ${JSON.stringify(text)}`);
  return newest;
}

async function handshakes(port: number, count: number, resumes: boolean): Promise<number> {
  let left = count;
  const client = async (): Promise<void> => {
    let session = resumes ? sessions.pop() : null;
    if (session === undefined) throw new Error('no session is there to be taken up again');
    while (left-- > 0) session = (await visit(port, resumes ? session : null, resumes)) ?? session;
    if (session !== null) sessions.push(session);
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return count;
}

/** Left by the full handshakes before, one for each client. */
let sessions: Buffer[] = [];

const held: Socket[] = [];

/** Frames up to the end of the first stream. */
class FirstAnswer {
  #bytes: Buffer = Buffer.alloc(0);

  isDone(chunk: Buffer): boolean {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    for (let at = 0; at + 9 <= this.#bytes.length; at += 9 + this.#bytes.readUIntBE(at, 3)) {
      const [type, flags, stream] = [this.#bytes[at + 3]!, this.#bytes[at + 4]!, this.#bytes.readUInt32BE(at + 5)];
      if (type === FRAME.goaway || type === FRAME.rstStream) throw new Error('the stream was refused');
      if (stream === 1 && (type === FRAME.data || type === FRAME.headers) && (flags & FLAG.endStream) !== 0) return true;
    }
    return false;
  }
}

const HTTP2_OPENING = Buffer.concat([PREFACE, http2Frame(FRAME.settings, 0, 0, Buffer.alloc(0)), http2Frame(FRAME.settings, FLAG.ack, 0, Buffer.alloc(0))]);
const get = (scheme: string): Buffer => headersFrame(1, [[':method', 'GET'], [':scheme', scheme], [':path', '/small'], [':authority', 'bench.example']]);

async function holdOne({ port, http, isSecure }: Extract<Work, { kind: 'hold' }>): Promise<void> {
  const socket = isSecure ? dial(port, http === 2 ? 'h2' : 'http/1.1', null) : connectTcp({ port, host: '127.0.0.1', noDelay: true });
  held.push(socket);
  await once(socket, isSecure ? 'secureConnect' : 'connect');
  const isLast = http === 2 ? new FirstAnswer() : null;
  const answered = new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('a connection was closed')));
    socket.on('data', (chunk: Buffer) => {
      if (isLast === null ? chunk.toString('latin1').endsWith(SMALL_BODY) : isLast.isDone(chunk)) resolve();
    });
  });
  socket.write(http === 2 ? Buffer.concat([HTTP2_OPENING, get(isSecure ? 'https' : 'http')]) : REQUEST);
  await answered;
}

async function hold(work: Extract<Work, { kind: 'hold' }>): Promise<number> {
  for (let opened = 0; opened < work.count; opened += OPENING_MAX) await Promise.all(Array.from({ length: Math.min(OPENING_MAX, work.count - opened) }, () => holdOne(work)));
  return held.length;
}

/** How many were still open. */
function release(): number {
  const still = held.filter((socket) => !socket.destroyed && socket.readable).length;
  for (const socket of held.splice(0)) socket.destroy();
  return still;
}

async function done(work: Work): Promise<number> {
  switch (work.kind) {
    case 'handshakes':
      if (!work.resumes) sessions = [];
      return handshakes(work.port, work.count, work.resumes);
    case 'hold':
      return hold(work);
    case 'release':
      return release();
  }
}

async function onWork(work: Work): Promise<void> {
  try {
    process.send!({ done: await done(work) } satisfies Report);
  } catch (error) {
    process.send!({ failure: error instanceof Error ? error.message : String(error) } satisfies Report);
  }
}

if (import.meta.main) {
  process.on('message', (work: Work) => void onWork(work));
  process.once('disconnect', () => process.exit(0));
}
