/** What goes out to an HTTP/2 backend, frame by frame. */
import type { Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { RawOrigin } from '../../support/engine.ts';
import { DATA, END_STREAM, frame, HEADERS, headersFrame, http2Preface, inFrontOf, settingsFrame, uint32 } from '../../support/http2-origin.ts';
import { until } from '../../support/weir-process.ts';

interface Seen {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly length: number;
}

const PING = 6;
const WINDOW_UPDATE = 8;
const toStop: RawOrigin[] = [];
afterEach(() => {
  for (const origin of toStop.splice(0)) origin.stop();
});

/** Says `settings`, and gives each frame that comes to `onFrame`. */
async function frameOrigin(settings: readonly (readonly [id: number, value: number])[], onFrame: (seen: Seen, socket: Socket) => void): Promise<RawOrigin> {
  const origin = await RawOrigin.start((socket) => {
    let bytes = Buffer.alloc(0);
    let at = http2Preface.length;
    socket.write(settingsFrame(settings));
    socket.on('data', (part: Buffer) => {
      bytes = Buffer.concat([bytes, part]);
      while (at + 9 <= bytes.length && at + 9 + bytes.readUIntBE(at, 3) <= bytes.length) {
        const seen = { type: bytes[at + 3]!, flags: bytes[at + 4]!, stream: bytes.readUInt32BE(at + 5), length: bytes.readUIntBE(at, 3) };
        at += 9 + seen.length;
        onFrame(seen, socket);
      }
    });
  });
  toStop.push(origin);
  return origin;
}

const answer = (stream: number): Buffer => headersFrame(stream, [[':status', '204']], true);

it('a PING is answered, before and behind requests', async () => {
  let acks = 0;
  const origin = await frameOrigin([], (seen, socket) => {
    if (seen.type === HEADERS) socket.write(frame(PING, 0, 0, '12345678'));
    if (seen.type !== PING || seen.flags !== 1) return;
    acks++;
    socket.write(answer(1));
  });
  const s = await inFrontOf([origin.port]);
  expect(await s.ask('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 204/);
  expect(acks).toBe(1);
});

it('no more data goes out than the window of the connection allows, whatever those of its streams do', async () => {
  let received = 0;
  let opened = 65_535;
  const origin = await frameOrigin([[4, 1_000_000]], (seen, socket) => {
    if (seen.type !== DATA) return;
    received += seen.length;
    expect(received).toBeLessThanOrEqual(opened);
    if (received === opened) {
      opened += 10_000;
      socket.write(frame(WINDOW_UPDATE, 0, 0, uint32(10_000)));
    }
    if ((seen.flags & END_STREAM) !== 0) socket.write(answer(seen.stream));
  });
  const s = await inFrontOf([origin.port]);
  const body = 'x'.repeat(50_000);
  const request = `PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  for (const told of await Promise.all([s.ask(request), s.ask(request), s.ask(request)])) expect(told).toMatch(/^HTTP\/1\.1 204/);
  expect(received).toBe(150_000);
});

it('frames of several streams take turns', async () => {
  const streams: number[] = [];
  let socketOf: Socket | null = null;
  const origin = await frameOrigin([[4, 10_000_000]], (seen, socket) => {
    socketOf = socket;
    if (seen.type !== DATA) return;
    streams.push(seen.stream);
    if ((seen.flags & END_STREAM) !== 0) socket.write(answer(seen.stream));
  });
  const s = await inFrontOf([origin.port]);
  const body = 'x'.repeat(400_000);
  const request = `PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const asked = [s.ask(request), s.ask(request)];
  // Both wait for the connection's window by now.
  await until(() => new Set(streams).size > 0 && streams.length >= 4);
  socketOf!.write(frame(WINDOW_UPDATE, 0, 0, uint32(10_000_000)));
  await Promise.all(asked);
  const changes = streams.filter((stream, i) => i > 0 && stream !== streams[i - 1]).length;
  expect(changes).toBeGreaterThan(3);
});

it('the first frames are SETTINGS without push and the window of the connection', async () => {
  const first: Seen[] = [];
  const origin = await frameOrigin([], (seen, socket) => {
    first.push(seen);
    if (seen.type === HEADERS) socket.write(answer(seen.stream));
  });
  const s = await inFrontOf([origin.port]);
  await s.ask('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  expect(first.slice(0, 2)).toMatchObject([{ type: 4, flags: 0, stream: 0, length: 12 }, { type: WINDOW_UPDATE, stream: 0 }]);
  expect(first.find(({ type }) => type === HEADERS)).toMatchObject({ stream: 1, flags: 5 });
});
