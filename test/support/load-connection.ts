/** One connection of the load generator: one request at a time, its answer held to what was asked. */
import { connect, type Socket } from 'node:net';
import type { FailureKind } from './load-messages.ts';
import type { LoadRequest } from './load-requests.ts';

const HEAD_END = Buffer.from('\r\n\r\n', 'latin1');
const NO_BYTES = Buffer.alloc(0);
/** The rest of a body that comes in parts. */
const PART_GAP_MS = 2;

export interface Outcome {
  readonly kind: 'answered' | FailureKind;
  readonly detail: string;
  readonly status: number;
  /** Of the backend that answered. */
  readonly backend: string;
  readonly isSent: boolean;
}

export class LoadConnection {
  /** Complete answers so far. */
  answers = 0;
  /** It cannot take another request. */
  isOver = false;
  readonly #socket: Socket;
  /** Told of a close between two requests. */
  readonly #onClosedAtRest: () => void;
  #request: LoadRequest | null = null;
  #onOutcome: ((outcome: Outcome) => void) | null = null;
  #isConnected = false;
  #received: Buffer = NO_BYTES;
  #rest: NodeJS.Timeout | null = null;

  constructor(port: number, onClosedAtRest: () => void) {
    this.#onClosedAtRest = onClosedAtRest;
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('connect', () => {
      this.#isConnected = true;
      this.#write();
    });
    this.#socket.on('data', (bytes: Buffer) => this.#take(bytes));
    this.#socket.on('end', () => this.#lose('closed', 'closed by the proxy'));
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#lose(error.code === 'ECONNREFUSED' ? 'refused' : 'reset', error.code ?? error.message));
    this.#socket.on('close', () => this.#lose('closed', 'closed'));
  }

  send(request: LoadRequest, onOutcome: (outcome: Outcome) => void): void {
    this.#request = request;
    this.#onOutcome = onOutcome;
    if (this.#isConnected) this.#write();
  }

  /** The request under way took too long. */
  giveUp(): void {
    this.#lose('timeout', 'no answer in time');
  }

  close(): void {
    this.isOver = true;
    if (this.#rest !== null) clearTimeout(this.#rest);
    this.#socket.destroy();
  }

  #write(): void {
    const [first, ...rest] = this.#request!.parts;
    this.#socket.write(first!);
    if (rest.length === 0) return;
    this.#rest = setTimeout(() => {
      this.#rest = null;
      if (!this.isOver) this.#socket.write(Buffer.concat(rest));
    }, PART_GAP_MS);
  }

  #take(bytes: Buffer): void {
    if (this.#request === null) return this.#lose('echo', 'bytes nobody asked for');
    const received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
    const headEnd = received.indexOf(HEAD_END);
    const head = headEnd === -1 ? '' : received.toString('latin1', 0, headEnd + 2);
    const length = headEnd === -1 ? Infinity : Number(/\r\ncontent-length: (\d+)\r\n/i.exec(head)?.[1] ?? Number.NaN);
    const end = headEnd + HEAD_END.length + length;
    if (received.length < end) {
      this.#received = received;
      return;
    }
    this.#received = NO_BYTES;
    this.#check(head, received.toString('latin1', end - length));
  }

  #check(head: string, body: string): void {
    const status = Number(head.slice(9, 12));
    const [backend = '', ...echo] = body.split(' ');
    this.answers += 1;
    if (/\r\nconnection: close\r\n/i.test(head)) this.isOver = true;
    if (status !== 200) this.#end({ kind: 'status', detail: `${status} ${body.trim()}`, status, backend: '' });
    else if (echo.join(' ') !== this.#request!.echo) this.#end({ kind: 'echo', detail: `${body} for ${this.#request!.echo}`, status, backend });
    else this.#end({ kind: 'answered', detail: '', status, backend });
  }

  #end(outcome: Omit<Outcome, 'isSent'>): void {
    const tell = this.#onOutcome;
    const hasUnsentRest = this.#rest !== null;
    this.#onOutcome = null;
    this.#request = null;
    if (this.isOver || hasUnsentRest || outcome.kind !== 'answered') this.close();
    tell?.({ ...outcome, isSent: this.#isConnected });
  }

  #lose(kind: FailureKind, detail: string): void {
    if (this.isOver) return;
    this.isOver = true;
    if (this.#request === null) {
      this.close();
      this.#onClosedAtRest();
      return;
    }
    const isCut = this.#received.length > 0 && kind !== 'timeout';
    this.#end({ kind: isCut ? 'truncated' : kind, detail: isCut ? `${detail} after ${this.#received.length} B` : detail, status: 0, backend: '' });
  }
}
