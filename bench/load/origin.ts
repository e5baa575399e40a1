/**
 * The backend of the load bench, a process of its own: canned answers over raw
 * sockets, so that it takes as little of the machine as possible. Started with
 * an IPC channel and `PORT ADDRESS`; sends `{ port }` once it listens and ends
 * with its parent.
 *
 * `/small`, `/browser`, `/64k`, `/1m` answer with a body of that kind,
 * `/head` with the request's own head (what the proxy made of it), and
 * `/upload` with the number of body bytes that arrived. On `/echo` a WebSocket
 * gets each of its messages back. Other paths are answered as `/small` is.
 */
import { createServer, type Socket } from 'node:net';
import { SMALL_BODY, WEBSOCKET_PATH } from './scenarios.ts';
import { acceptFor, FrameEcho } from './websocket-frames.ts';

const HEAD_END = Buffer.from('\r\n\r\n', 'latin1');

function canned(body: Buffer | string, extraFields: readonly string[] = []): Buffer {
  const bytes = Buffer.from(body);
  const fields = [...extraFields, 'Content-Type: text/plain', `Content-Length: ${bytes.length}`];
  return Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${fields.join('\r\n')}\r\n\r\n`, 'latin1'), bytes]);
}

const siteFields = [
  'Date: Mon, 01 Jan 2024 00:00:00 GMT',
  'Cache-Control: private, max-age=0, must-revalidate',
  'ETag: W/"5f3-18c9a4b2e10"',
  'Last-Modified: Sun, 31 Dec 2023 23:59:59 GMT',
  'Vary: Accept-Encoding, Cookie',
  'Set-Cookie: session=3f2a9c1e7b5d4860a1c2e3f405162738; Path=/; HttpOnly; SameSite=Lax',
  "Content-Security-Policy: default-src 'self'; img-src 'self' data:",
  'Strict-Transport-Security: max-age=31536000; includeSubDomains',
  'X-Content-Type-Options: nosniff',
  'Referrer-Policy: strict-origin-when-cross-origin',
];

const answers = new Map<string, Buffer>([
  ['/small', canned(SMALL_BODY)],
  ['/browser', canned(SMALL_BODY, siteFields)],
  ['/64k', canned(Buffer.alloc(64 * 1024, 'x'))],
  ['/1m', canned(Buffer.alloc(1024 * 1024, 'x'))],
]);
const otherAnswer = answers.get('/small')!;

class OriginConnection {
  private readonly socket: Socket;
  private pending: Buffer | null = null;
  private bodyBytesDue = 0;
  private bodyBytes = 0;
  private closing = false;
  private echo: FrameEcho | null = null;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  take(chunk: Buffer): void {
    if (this.echo !== null) return this.giveBack(this.echo, chunk);
    let bytes = this.pending === null ? chunk : Buffer.concat([this.pending, chunk]);
    this.pending = null;
    while (bytes.length > 0) {
      if (this.bodyBytesDue > 0) {
        const taken = Math.min(this.bodyBytesDue, bytes.length);
        this.bodyBytesDue -= taken;
        bytes = bytes.subarray(taken);
        if (this.bodyBytesDue === 0) this.send(canned(String(this.bodyBytes)));
        continue;
      }
      const end = bytes.indexOf(HEAD_END);
      if (end < 0) {
        this.pending = bytes;
        return;
      }
      this.answerHead(bytes.toString('latin1', 0, end));
      bytes = bytes.subarray(end + HEAD_END.length);
      if (this.echo !== null && bytes.length > 0) return this.giveBack(this.echo, bytes);
    }
  }

  private giveBack(echo: FrameEcho, chunk: Buffer): void {
    const frames = echo.take(chunk);
    if (frames !== null) this.socket.write(frames);
  }

  private answerHead(head: string): void {
    const pathAt = head.indexOf(' ') + 1;
    const path = head.slice(pathAt, head.indexOf(' ', pathAt));
    const key = path === WEBSOCKET_PATH ? /\nsec-websocket-key: *(\S+)/i.exec(head) : null;
    if (key !== null) {
      this.echo = new FrameEcho();
      this.socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(key[1]!)}\r\n\r\n`);
      return;
    }
    this.closing = /\nconnection: *close/i.test(head);
    if (head.startsWith('POST')) {
      const length = /\ncontent-length: *(\d+)/i.exec(head);
      if (length === null) return this.send(Buffer.from('HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\n\r\n', 'latin1'));
      this.bodyBytes = this.bodyBytesDue = Number(length[1]);
      if (this.bodyBytes === 0) this.send(canned('0'));
      return;
    }
    this.send(path === '/head' ? canned(head) : (answers.get(path) ?? otherAnswer));
  }

  private send(bytes: Buffer): void {
    this.socket.write(bytes);
    if (this.closing) this.socket.end();
  }
}

const listening = createServer({ noDelay: true }, (socket) => {
  const connection = new OriginConnection(socket);
  socket.on('data', (chunk: Buffer) => connection.take(chunk));
  socket.on('error', () => socket.destroy());
});
listening.listen({ port: Number(process.argv[2] ?? 0), host: process.argv[3] ?? '127.0.0.1', backlog: 4096 }, () => {
  const address = listening.address();
  process.send?.({ port: typeof address === 'object' ? address?.port : undefined });
});
process.once('disconnect', () => process.exit(0));
