/** A backend that shows each request as raw text and answers with raw text, once a whole request is there. */
import type { Socket } from 'node:net';
import { RawOrigin } from './engine.ts';

export interface SeenRequest {
  /** Head and body as they came. */
  readonly raw: string;
  readonly path: string;
  readonly socket: Socket;
}

/** Raw answer, or null: the script writes to the socket itself, or never answers. */
export type Script = (request: SeenRequest) => string | null;

export class ScriptedOrigin {
  readonly seen: SeenRequest[] = [];
  readonly origin: RawOrigin;
  #wake: (() => void)[] = [];

  private constructor(origin: RawOrigin) {
    this.origin = origin;
  }

  get port(): number {
    return this.origin.port;
  }

  static async start(script: Script): Promise<ScriptedOrigin> {
    const holder: { scripted?: ScriptedOrigin } = {};
    const origin = await RawOrigin.start((socket) => {
      let text = '';
      socket.on('data', (bytes: Buffer) => {
        text += bytes.toString('latin1');
        for (let length = requestLength(text); length > 0; length = requestLength(text)) {
          const raw = text.slice(0, length);
          text = text.slice(length);
          holder.scripted!.#take({ raw, path: raw.split(' ')[1] ?? '', socket }, script);
        }
      });
      socket.on('end', () => socket.end());
    });
    holder.scripted = new ScriptedOrigin(origin);
    return holder.scripted;
  }

  #take(request: SeenRequest, script: Script): void {
    this.seen.push(request);
    const answer = script(request);
    if (answer !== null) request.socket.write(Buffer.from(answer, 'latin1'));
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }

  /** Resolves once `count` requests have come. */
  async until(count: number): Promise<void> {
    while (this.seen.length < count) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  stop(): void {
    this.origin.stop();
  }
}

/** Length of the whole request at the start of `text`; 0: incomplete. */
function requestLength(text: string): number {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd === -1) return 0;
  const head = text.slice(0, headEnd).toLowerCase();
  const bodyStart = headEnd + 4;
  const length = /\r\ncontent-length: *(\d+)/.exec(head);
  if (length !== null) return text.length >= bodyStart + Number(length[1]) ? bodyStart + Number(length[1]) : 0;
  if (!head.includes('\r\ntransfer-encoding: chunked')) return bodyStart;
  const end = /(?:^|\r\n)0\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(text.slice(bodyStart));
  return end === null ? 0 : bodyStart + end.index + end[0].length;
}
