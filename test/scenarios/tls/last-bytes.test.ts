/**
 * The end of a connection over TLS to a client that reads slower than the
 * answer comes: the last write is in OpenSSL's hands when the proxy is done
 * with the connection, and still all of it arrives, with the notice that
 * nothing was cut off (RFC 8446 §6.1) behind it.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import { afterAll, expect, it, onTestFinished } from 'vitest';
import { scenario } from '../../support/engine-scenario.ts';
import { makeTls, TestCa } from '../../support/test-ca.ts';

const ca = new TestCa();
afterAll(() => ca.remove());
const site = ca.issue();

/** More than the kernels keep for a reader that has stopped. */
const ANSWER_BYTES = 12 * 1024 * 1024;
const TURNS_BETWEEN_READS = 3;
const ALERT = 21;
const APPLICATION_DATA = 23;

/** Passes a connection on to `port`, reads the answers a piece at a time, and keeps them. */
async function slowReader(port: number): Promise<{ port: number; bytes(): Buffer }> {
  const parts: Buffer[] = [];
  const between = createServer((client) => {
    const onward = connect(port, '127.0.0.1');
    for (const socket of [client, onward]) socket.on('error', () => {});
    client.pipe(onward);
    onward.on('data', (part: Buffer) => {
      parts.push(part);
      client.write(part);
      onward.pause();
      let turns = TURNS_BETWEEN_READS;
      const turn = (): void => void (turns-- > 0 ? setImmediate(turn) : onward.resume());
      turn();
    });
    onward.on('end', () => client.end());
  }).listen(0, '127.0.0.1');
  await once(between, 'listening');
  onTestFinished(() => void between.close());
  return { port: (between.address() as AddressInfo).port, bytes: () => Buffer.concat(parts) };
}

/** The types of the records, RFC 5246 §6.2.1; throws unless the last one is whole. */
function recordTypes(bytes: Buffer): number[] {
  const types: number[] = [];
  let at = 0;
  for (; at < bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) types.push(bytes[at]!);
  if (at !== bytes.length) throw new Error('cut off in the middle of a record');
  return types;
}

it.each([
  ['a length', `Content-Length: ${ANSWER_BYTES}\r\n\r\n`, ''],
  ['chunks', `Transfer-Encoding: chunked\r\n\r\n${ANSWER_BYTES.toString(16)}\r\n`, '\r\n0\r\n\r\n'],
  ['its end alone', 'Connection: close\r\n\r\n', null],
])('a large last answer with %s arrives whole, and then the notice', async (_what, head, tail) => {
  const answer = Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${head}`), Buffer.alloc(ANSWER_BYTES, 'z'), Buffer.from(tail ?? '')]);
  const s = await scenario(
    ({ socket }) => {
      socket.write(answer);
      if (tail === null) socket.end();
      return null;
    },
    { listener: { tls: makeTls([site]) } },
  );
  const reader = await slowReader(s.port);
  // In TLS 1.2 the notice is seen for what it is from outside.
  const client = connectSecurely({ port: reader.port, host: '127.0.0.1', servername: 'localhost', ca: ca.ca, maxVersion: 'TLSv1.2' });
  onTestFinished(() => void client.destroy());
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  let body = 0;
  client.on('data', (part: Buffer) => (body += part.length));
  await once(client, 'end');
  expect(body).toBeGreaterThanOrEqual(ANSWER_BYTES);
  const types = recordTypes(reader.bytes());
  expect(types.slice(-2)).toEqual([APPLICATION_DATA, ALERT]);
});
