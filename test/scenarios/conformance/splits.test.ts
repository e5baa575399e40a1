/** However the bytes of a message are cut into packets, it is the same message. */
import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { backendColumns, listenerColumns } from '../../../src/shared/counter-pages.ts';
import { OK, scenario, type Scenario } from '../../support/engine-scenario.ts';
import { withoutOurs } from '../../support/raw-cases.ts';
import type { SeenRequest } from '../../support/scripted-origin.ts';

/** Each with what the origin is to see of it. */
const requests: readonly (readonly [name: string, raw: string, count: number])[] = [
  ['a plain one', 'GET /a?b=c HTTP/1.1\r\nHost: a.example:81\r\nX-A:  one \t\r\nEmpty:\r\n\r\n', 1],
  ['an empty line before, HTTP/1.0', '\r\nGET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n', 1],
  ['an absolute target', 'OPTIONS http://b.example HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n', 1],
  ['a length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\nhello\r\n\r\nbye', 1],
  ['chunks', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x="y;\\"" ; z\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n', 1],
  ['trailers', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: x-hop\r\n\r\n2\r\nok\r\n0;z\r\nX-Sum: 1\r\nCookie: b\r\nX-Hop: 2\r\nX-Two: 2\r\n\r\n', 1],
  ['several in a row', 'POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /2 HTTP/1.1\r\nHost: a\r\n\r\nPOST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n', 3],
];

const CHUNKED = 'HTTP/1.1 200 OK\r\nDate: then\r\nTransfer-Encoding: chunked\r\n';
const answers: readonly (readonly [name: string, raw: string])[] = [
  ['a length', 'HTTP/1.1 200 OK\r\nDate: then\r\nConnection: keep-alive\r\nContent-Length: 12\r\n\r\nhello\r\n\r\nbye'],
  ['fields that end here', 'HTTP/1.1 200 OK\r\nX-Hop: 1\r\nDate: then\r\nKeep-Alive: timeout=5\r\nConnection: X-Hop\r\nContent-Length: 2\r\n\r\nok'],
  ['chunks', `${CHUNKED}\r\n5;x="y"\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n`],
  ['trailers', `${CHUNKED}Connection: x-hop\r\n\r\n2\r\nok\r\n0;z\r\nX-Sum: 1\r\nSet-Cookie: b\r\nX-Hop: 2\r\n\r\n`],
  ['until the close', 'HTTP/1.0 200 OK\r\nDate: then\r\nServer: x\r\n\r\nhello\r\n\r\nbye'],
  ['interim answers', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nKeep-Alive: x\r\n\r\nHTTP/1.1 204 No Content\r\nDate: then\r\n\r\n'],
  ['an upgrade', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nearly bytes\r\n'],
];

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function parts(text: string, cuts: readonly number[]): string[] {
  const edges = [...new Set(cuts.map((cut) => cut % text.length)), text.length].sort((a, b) => a - b).filter((edge) => edge > 0);
  return edges.map((edge, i) => text.slice(i === 0 ? 0 : edges[i - 1], edge));
}

/** Sends each part once the proxy has read the one before it. */
async function sendParts(s: Scenario, texts: readonly string[], send: (text: string) => void): Promise<void> {
  const { cells, base } = s.engine.context.counters.listeners.at(0);
  for (const text of texts) {
    const until = cells[base + listenerColumns.bytesIn]! + text.length;
    send(text);
    while (cells[base + listenerColumns.bytesIn]! < until) await turn();
  }
}

describe('a request', () => {
  async function seenOf(s: Scenario, raw: string, count: number, cuts: readonly number[]): Promise<string[]> {
    s.origin.seen.length = 0;
    const client = await s.client();
    client.socket.setNoDelay(true);
    await sendParts(s, parts(raw, cuts), (text) => client.send(text));
    await client.until((received) => received.split(' 200 OK\r\n').length > count);
    client.close();
    return s.origin.seen.map((request) => withoutOurs(request.raw));
  }

  it.each(requests)('%s: cut in two at every byte', async (_name, raw, count) => {
    const s = await scenario(() => OK);
    const expected = await seenOf(s, raw, count, []);
    expect(expected).toHaveLength(count);
    for (let cut = 1; cut < raw.length; cut++) expect(await seenOf(s, raw, count, [cut]), `cut at ${cut}`).toEqual(expected);
  });

  it('cut anywhere, any number of times', async () => {
    const s = await scenario(() => OK);
    const expected = new Map<string, string[]>();
    for (const [name, raw, count] of requests) expected.set(name, await seenOf(s, raw, count, []));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...requests), fc.array(fc.nat(), { maxLength: 12 }), async ([name, raw, count], cuts) => {
        expect(await seenOf(s, raw, count, cuts)).toEqual(expected.get(name));
      }),
      { numRuns: 150 },
    );
  });
});

describe('an answer', () => {
  let pending: ((request: SeenRequest) => void) | null = null;
  const waiting = (): Promise<SeenRequest> => new Promise((resolve) => (pending = resolve));
  const opened = (): Promise<Scenario> =>
    scenario((request) => {
      pending!(request);
      return null;
    });

  /** All the client gets; chunk lines of our own making, which follow the packets, are taken out. */
  async function answerTo(s: Scenario, name: string, raw: string, cuts: readonly number[]): Promise<string> {
    const { cells, base } = s.engine.context.counters.backends.at(0);
    const client = await s.client();
    const asked = waiting();
    client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close, upgrade\r\nUpgrade: x\r\n\r\n');
    const { socket } = await asked;
    socket.setNoDelay(true);
    for (const text of parts(raw, cuts)) {
      const until = cells[base + backendColumns.bytesFromBackend]! + text.length;
      socket.write(Buffer.from(text, 'latin1'));
      while (cells[base + backendColumns.bytesFromBackend]! < until) await turn();
    }
    socket.end();
    const received = await client.untilEnd();
    client.close();
    if (name !== 'until the close') return received;
    const bodyStart = received.indexOf('\r\n\r\n') + 4;
    return received.slice(0, bodyStart) + unchunked(received.slice(bodyStart));
  }

  function unchunked(body: string): string {
    const size = parseInt(body, 16);
    const start = body.indexOf('\r\n') + 2;
    return size === 0 ? body.slice(start) : body.slice(start, start + size) + unchunked(body.slice(start + size + 2));
  }

  it.each(answers)('%s: cut in two at every byte', async (name, raw) => {
    const s = await opened();
    const expected = await answerTo(s, name, raw, []);
    expect(expected).toMatch(/^HTTP\/1\.1 [12]/);
    for (let cut = 1; cut < raw.length; cut++) expect(await answerTo(s, name, raw, [cut]), `cut at ${cut}`).toBe(expected);
  });

  it('cut anywhere, any number of times', async () => {
    const s = await opened();
    const expected = new Map<string, string>();
    for (const [name, raw] of answers) expected.set(name, await answerTo(s, name, raw, []));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...answers), fc.array(fc.nat(), { maxLength: 12 }), async ([name, raw], cuts) => {
        expect(await answerTo(s, name, raw, cuts)).toBe(expected.get(name));
      }),
      { numRuns: 150 },
    );
  });
});
