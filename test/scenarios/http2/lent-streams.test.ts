/** Streams go from one connection to another with each request, and take nothing of the one before along. */
import { describe, expect, it } from 'vitest';
import { FLAG, FRAME } from '../../../src/data-plane/parse/http2-frames.ts';
import { OK, stableHead } from '../../support/engine-scenario.ts';
import { http2Frame } from '../../support/http2-frames.ts';
import { dataFrame, GET, headersFrame, POST, type Http2RawClient } from '../../support/http2-raw-client.ts';
import { http2Scenario } from '../../support/http2-scenario.ts';

/** All that was sent so far has been read. */
async function untilTaken(client: Http2RawClient): Promise<void> {
  client.send(http2Frame(FRAME.ping, 0, 0, Buffer.alloc(8)));
  await client.frame(({ type, flags }) => type === FRAME.ping && flags === FLAG.ack);
}

describe('a stream that served one connection', () => {
  it('is another client on the next', async () => {
    const s = await http2Scenario(() => OK, { listener: { proxyProtocol: 'accept', trustedProxies: ['127.0.0.0/8'] } });
    const clients = [await s.http2(undefined, 'PROXY TCP4 192.0.2.1 192.0.2.9 1000 8001\r\n'), await s.http2(undefined, 'PROXY TCP4 192.0.2.2 192.0.2.9 2000 8002\r\n')];
    for (const stream of [1, 3, 5]) {
      for (const client of clients) {
        client.send(headersFrame(stream, GET));
        await client.answer(stream);
      }
    }
    const seen = s.origin.seen.map(({ raw }) => stableHead(raw).find((line) => line.startsWith('X-Forwarded-For: ')));
    expect(seen).toEqual([1, 2, 1, 2, 1, 2].map((host) => `X-Forwarded-For: 192.0.2.${host}`));
  });

  it('gets nothing of a frame that was passing when it closed', async () => {
    const s = await http2Scenario(() => OK, { listener: { limits: { bodyBytesMax: 8 } } });
    const [first, second] = [await s.http2(), await s.http2()];
    const frame = dataFrame(1, 'x'.repeat(10));
    first.send(headersFrame(1, [...POST, ['content-length', '10']], FLAG.endHeaders), frame.subarray(0, 12));
    expect(await first.answer(1)).toMatchObject({ status: ':status: 413' });
    await first.of(FRAME.rstStream, 1);
    second.send(headersFrame(1, [...POST, ['content-length', '6']], FLAG.endHeaders), dataFrame(1, 'one'));
    await untilTaken(second);
    first.send(frame.subarray(12));
    await untilTaken(first);
    second.send(dataFrame(1, 'two', true));
    expect(await second.answer(1)).toMatchObject({ status: ':status: 200' });
    expect(s.origin.seen.at(-1)!.raw).toMatch(/\r\n\r\nonetwo$/);
  });
});
