import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { Http1Answer } from '../../../src/data-plane/listen/http1-answer.ts';
import { METHOD } from '../../../src/data-plane/parse/request-head.ts';
import { parseResponseHead, ResponseHead } from '../../../src/data-plane/parse/response-head.ts';

const open: { close(): unknown }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

async function pair(): Promise<{ ours: Socket; client: Socket }> {
  const acceptor = createServer({ allowHalfOpen: true });
  acceptor.listen(0, '127.0.0.1');
  await once(acceptor, 'listening');
  const accepted = once(acceptor, 'connection');
  const client = connect((acceptor.address() as AddressInfo).port, '127.0.0.1');
  const [ours] = (await accepted) as [Socket];
  ours.on('error', () => undefined);
  client.on('error', () => undefined);
  open.push({ close: () => acceptor.close() }, { close: () => ours.destroy() }, { close: () => client.destroy() });
  return { ours, client };
}

/** Begins an answer in chunks, which must be reset if it is not to pass for whole. */
function begin(socket: Socket): Http1Answer {
  const answer = new Http1Answer(socket, { wheel: { now: 1 }, clock: { wallMs: () => 0 } } as unknown as ConstructorParameters<typeof Http1Answer>[1]);
  const bytes = Buffer.from('HTTP/1.1 200 OK\r\nDate: then\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n');
  const head = new ResponseHead();
  const headEnd = parseResponseHead(bytes, 0, bytes.length, { headerBytesMax: 0, headerCountMax: 0 }, head);
  answer.sendHead(head, 0, headEnd, headEnd, bytes.length, 'chunked', false, { minorVersion: 1, method: METHOD.get, closes: false, via: false, edits: null });
  return answer;
}

it('an answer that could pass for whole is reset', async () => {
  const { ours, client } = await pair();
  const answer = begin(ours);
  const failed = once(client, 'error');
  await once(client, 'data');
  answer.cutShort();
  expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' });
});

it('one whose end is on its way is closed, and tells of it', async () => {
  const { ours, client } = await pair();
  const answer = begin(ours);
  await once(client, 'data');
  const closed = once(ours, 'close');
  ours.end();
  answer.cutShort();
  await closed;
});
