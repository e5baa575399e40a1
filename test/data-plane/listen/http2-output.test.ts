import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Http2Output, type BodySource } from '../../../src/data-plane/listen/http2-output.ts';

const FRAME_BYTES = 8192;
const OWNER = { onWritten() {}, onBlocked() {}, onUnblocked() {} };

/** A socket that takes bytes when it is told to. */
function slowSocket(): { socket: Socket; takeAll: () => void } {
  let done: (() => void) | null = null;
  const keep = (taken: () => void): false => ((done = taken), false);
  // By either way that writeTo goes.
  const socket = { destroyed: false, write: (_bytes: Buffer, taken: () => void) => keep(taken), _write: (_bytes: Buffer, _encoding: string, taken: () => void) => keep(taken) } as unknown as Socket;
  return {
    socket,
    takeAll() {
      const taken = done;
      done = null;
      taken?.();
    },
  };
}

class Source implements BodySource {
  isWaiting = false;
  left: number;
  readonly urgency: number;
  readonly #name: string;
  readonly #sent: string[];
  readonly #output: Http2Output;

  constructor(name: string, urgency: number, left: number, output: Http2Output, sent: string[]) {
    this.#name = name;
    this.urgency = urgency;
    this.left = left;
    this.#output = output;
    this.#sent = sent;
  }

  putFrame(bytesMax: number): boolean {
    const length = Math.min(bytesMax, FRAME_BYTES, this.left);
    const out = this.#output.open();
    out.reserve(length);
    out.length += length;
    this.#output.window -= length;
    this.left -= length;
    this.#sent.push(this.#name);
    return this.left > 0;
  }
}

function rig(): { output: Http2Output; sent: string[]; source: (name: string, urgency: number, frames: number) => Source } {
  const output = new Http2Output(slowSocket().socket, OWNER);
  const sent: string[] = [];
  return { output, sent, source: (name, urgency, frames) => new Source(name, urgency, frames * FRAME_BYTES, output, sent) };
}

describe('DATA of several streams', () => {
  it('of one urgency take turns, one frame each', () => {
    const { output, sent, source } = rig();
    output.window = 0;
    for (const name of ['a', 'b', 'c']) output.offer(source(name, 3, 3));
    output.window = 9 * FRAME_BYTES;
    output.pump();
    expect(sent.join('')).toBe('abcabcabc');
  });

  it('the urgent go first, and the least urgent are not starved', () => {
    const { output, sent, source } = rig();
    output.window = 0;
    output.offer(source('z', 7, 2));
    output.offer(source('m', 3, 3));
    output.offer(source('u', 0, 20));
    output.window = 12 * FRAME_BYTES;
    output.pump();
    expect(sent.join('')).toBe('uuuuuuuuzuuu');
  });

  it('wait for the window of the connection, and for what is on its way', () => {
    const { output, sent, source } = rig();
    const large = source('a', 3, 100);
    output.window = 1_000_000_000;
    output.offer(large);
    expect(sent).toHaveLength(16);
    expect(large.isWaiting).toBe(true);
    output.withdraw(large);
    output.pump();
    expect(sent).toHaveLength(16);
  });

  it('go on at once while the kernel takes all', () => {
    const sent: string[] = [];
    const written: number[] = [];
    const take = (bytes: Buffer, done: () => void): true => (written.push(bytes.length), done(), true);
    const socket = { destroyed: false, write: take, _write: (bytes: Buffer, _encoding: string, done: () => void) => take(bytes, done) } as unknown as Socket;
    const output = new Http2Output(socket, OWNER);
    output.window = 1_000_000_000;
    const large = new Source('a', 3, 100 * FRAME_BYTES, output, sent);
    output.offer(large);
    expect(large.isWaiting).toBe(false);
    expect(sent).toHaveLength(100);
    expect(written).toHaveLength(6);
    expect(Math.max(...written)).toBe(16 * FRAME_BYTES);
  });
});
