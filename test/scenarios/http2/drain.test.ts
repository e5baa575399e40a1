import { connect } from 'node:http2';
import { describe, expect, it } from 'vitest';
import { FLAG, FRAME, H2_ERROR } from '../../../src/data-plane/parse/http2-frames.ts';
import { OK } from '../../support/engine-scenario.ts';
import { http2Frame } from '../../support/http2-frames.ts';
import { GET, headersFrame, type Http2RawClient } from '../../support/http2-raw-client.ts';
import { http2Scenario } from '../../support/http2-scenario.ts';

const goaways = (client: Http2RawClient): number[] => client.frames.filter(({ type }) => type === FRAME.goaway).map(({ payload }) => payload.readUInt32BE(0));
const drainPing = (client: Http2RawClient): Promise<{ payload: Buffer }> => client.frame(({ type, flags, payload }) => type === FRAME.ping && flags === 0 && payload.toString() === 'drained?');

describe('a proxy that stops', () => {
  it('says so twice, serves what crossed its first word, and closes after the last answer', async () => {
    const s = await http2Scenario(() => null);
    const client = await s.http2();
    client.send(headersFrame(1, GET));
    await s.origin.until(1);
    s.engine.plane.stop();
    const ping = await drainPing(client);
    expect(goaways(client)).toEqual([0x7fffffff]);
    // Sent before the client heard of it.
    client.send(headersFrame(3, GET));
    client.send(http2Frame(FRAME.ping, FLAG.ack, 0, ping.payload));
    await s.origin.until(2);
    await client.frame(() => goaways(client).length === 2);
    expect(goaways(client)).toEqual([0x7fffffff, 3]);
    // From now on it is the client's to send it elsewhere.
    client.send(headersFrame(5, GET));
    for (const { socket } of s.origin.seen) socket.write(OK);
    expect((await client.answer(1)).body).toBe('ok');
    expect((await client.answer(3)).body).toBe('ok');
    expect(await client.goaway()).toMatchObject({ code: H2_ERROR.noError, last: 3 });
    expect(s.origin.seen).toHaveLength(2);
    await expect.poll(() => s.engine.plane.openConnections).toBe(0);
  });

  it('does not wait for a client that does not answer', async () => {
    const s = await http2Scenario(() => OK);
    const client = await s.http2();
    client.send(headersFrame(1, GET));
    await client.answer(1);
    s.engine.plane.stop();
    expect(await client.goaway()).toMatchObject({ code: H2_ERROR.noError, last: 1 });
    expect(goaways(client)).toEqual([0x7fffffff, 1]);
  });

  it('tells clients with their next request while it leaves rotation', async () => {
    const s = await http2Scenario(() => OK);
    const client = await s.http2();
    client.send(headersFrame(1, GET));
    await client.answer(1);
    s.engine.context.isShedding = true;
    expect(goaways(client)).toEqual([]);
    client.send(headersFrame(3, GET));
    expect((await client.answer(3)).body).toBe('ok');
    client.send(http2Frame(FRAME.ping, FLAG.ack, 0, (await drainPing(client)).payload));
    expect(await client.goaway()).toMatchObject({ code: H2_ERROR.noError, last: 3 });
  });
});

describe('a client of others', () => {
  it('loses nothing to a proxy that stops', async () => {
    const s = await http2Scenario(() => OK);
    const session = connect(`http://127.0.0.1:${s.port}`);
    let isTold = false;
    session.on('goaway', () => (isTold = true));
    const answers: Promise<number>[] = [];
    const ask = (): void => {
      const stream = session.request({ ':path': '/' });
      answers.push(
        new Promise((resolve, reject) => {
          stream.on('response', (fields) => resolve(fields[':status'] ?? 0));
          // Opened, but not sent any more, or refused: known to be nobody's doing, and free to be sent elsewhere.
          stream.on('error', (error) => (stream.rstCode === H2_ERROR.refusedStream ? resolve(0) : reject(error)));
          stream.resume();
        }),
      );
    };
    for (let wave = 0; !isTold; wave++) {
      for (let i = 0; i < 5; i++) ask();
      if (wave === 10) s.engine.plane.stop();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const statuses = await Promise.all(answers);
    expect(statuses.filter((status) => status !== 0 && status !== 200)).toEqual([]);
    expect(s.origin.seen).toHaveLength(statuses.filter((status) => status === 200).length);
    await expect.poll(() => s.engine.plane.openConnections).toBe(0);
    session.destroy();
  });
});

describe('places', () => {
  it('an idle connection gives its own to a newcomer, with GOAWAY', async () => {
    const s = await http2Scenario(() => OK, { listener: { limits: { connections: 1 } } });
    const client = await s.http2();
    client.send(headersFrame(1, GET));
    await client.answer(1);
    const other = await s.http2();
    other.send(headersFrame(1, GET));
    expect((await other.answer(1)).body).toBe('ok');
    expect(await client.goaway()).toMatchObject({ code: H2_ERROR.noError, last: 1 });
  });

  it('one with a request under way does not', async () => {
    const s = await http2Scenario(() => null, { listener: { limits: { connections: 1 } } });
    const client = await s.http2();
    client.send(headersFrame(1, GET));
    await s.origin.until(1);
    const other = await s.http2();
    await other.untilClosed();
    s.origin.seen[0]!.socket.write(OK);
    expect((await client.answer(1)).body).toBe('ok');
  });
});

describe('a client that goes', () => {
  it('with GOAWAY gets the answers that are due', async () => {
    const s = await http2Scenario(() => null);
    const client = await s.http2();
    client.send(headersFrame(1, GET), http2Frame(FRAME.goaway, 0, 0, Buffer.alloc(8)));
    await s.origin.until(1);
    s.origin.seen[0]!.socket.write(OK);
    expect((await client.answer(1)).body).toBe('ok');
  });

  it('without a word has its requests called off', async () => {
    const s = await http2Scenario(() => null);
    const client = await s.http2();
    client.send(headersFrame(1, GET), headersFrame(3, GET));
    await s.origin.until(2);
    client.close();
    await expect.poll(() => s.origin.seen.every(({ socket }) => socket.readableEnded || socket.destroyed)).toBe(true);
    await expect.poll(() => s.engine.plane.openConnections).toBe(0);
  });

  it('from one request has that one called off', async () => {
    const s = await http2Scenario(() => null);
    const client = await s.http2();
    client.send(headersFrame(1, GET), headersFrame(3, GET));
    await s.origin.until(2);
    client.send(http2Frame(FRAME.rstStream, 0, 1, Buffer.from([0, 0, 0, 8])));
    await expect.poll(() => s.origin.seen[0]!.socket.readableEnded || s.origin.seen[0]!.socket.destroyed).toBe(true);
    s.origin.seen[1]!.socket.write(OK);
    expect((await client.answer(3)).body).toBe('ok');
  });
});

describe('HTTP/2 that is not wanted', () => {
  it('is refused as any other version: 505', async () => {
    const s = await http2Scenario(() => OK, { listener: { http2: false } });
    expect(await s.ask('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')).toMatch(/^HTTP\/1\.1 505 /);
  });

  it('the preface in any pieces, and with the first request in one read', async () => {
    const s = await http2Scenario(() => OK);
    const whole = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), http2Frame(FRAME.settings, 0, 0, Buffer.alloc(0)), headersFrame(1, GET)]);
    for (const edge of [1, 5, 17, 18, 20, 24, 30, whole.length]) {
      const client = await s.client();
      client.socket.setNoDelay(true);
      client.send(whole.subarray(0, edge));
      await new Promise((resolve) => setImmediate(resolve));
      client.send(whole.subarray(edge));
      await client.until((received) => received.endsWith('ok'));
    }
  });
});
