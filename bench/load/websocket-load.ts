/**
 * Closed loop over upgraded connections: each sends the next message when the
 * last one has come back, and every message that comes back is compared with
 * the one that was sent. A "request" of the result is one such round trip.
 */
import { connect } from 'node:net';
import type { Scenario } from './scenarios.ts';
import { Tally, type LoadResult } from './tally.ts';
import { acceptFor, encodeFrame } from './websocket-frames.ts';

const HEAD_END = '\r\n\r\n';
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPT = acceptFor(KEY);
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
const GIVE_UP_MS = 5000;

/** The scenario's `uploadBytes` are the size of a message. */
export async function runWebSocketLoad(scenario: Scenario, port: number, durationMs: number): Promise<LoadResult> {
  const payload = Buffer.alloc(scenario.uploadBytes, 'w');
  const run = { sent: encodeFrame(payload, MASK), expected: encodeFrame(payload, null), tally: new Tally(), endMs: performance.now() + durationMs };
  await Promise.all(Array.from({ length: scenario.connections }, () => echoOver(scenario.path, port, run)));
  return run.tally.result();
}

interface EchoRun {
  readonly sent: Buffer;
  readonly expected: Buffer;
  readonly tally: Tally;
  readonly endMs: number;
}

function echoOver(path: string, port: number, { sent, expected, tally, endMs }: EchoRun): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const fields = [`Host: localhost:${port}`, 'Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Key: ${KEY}`, 'Sec-WebSocket-Version: 13'];
    let upgraded = false;
    let finished = false;
    let sentMs = 0;
    let pending: Buffer = Buffer.alloc(0);
    const send = (): void => {
      sentMs = performance.now();
      socket.write(sent);
    };
    const onHead = (): void => {
      const end = pending.indexOf(HEAD_END);
      if (end < 0) return;
      const head = pending.toString('latin1', 0, end);
      pending = pending.subarray(end + HEAD_END.length);
      upgraded = head.startsWith('HTTP/1.1 101 ') && head.includes(ACCEPT) && pending.length === 0;
      if (upgraded) send();
      else socket.destroy();
    };
    socket.on('connect', () => socket.write(`GET ${path} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`));
    socket.on('data', (chunk: Buffer) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      if (!upgraded) return onHead();
      if (pending.length < expected.length) return;
      if (!pending.equals(expected)) return void socket.destroy();
      pending = pending.subarray(expected.length);
      const nowMs = performance.now();
      tally.answered(nowMs - sentMs);
      finished = nowMs >= endMs;
      if (finished) socket.end();
      else send();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (!finished) tally.errors++;
      resolve();
    });
    socket.setTimeout(Math.max(1000, endMs - performance.now() + GIVE_UP_MS), () => socket.destroy());
  });
}
