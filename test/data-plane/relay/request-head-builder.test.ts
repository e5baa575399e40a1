import { describe, expect, it } from 'vitest';
import { Exchange, type AnswerSink } from '../../../src/data-plane/exchange.ts';
import { openExchange, peerOf } from '../../../src/data-plane/listen/open-exchange.ts';
import type { LiveListener } from '../../../src/data-plane/live/live-listener.ts';
import type { LiveRoute } from '../../../src/data-plane/live/live-route.ts';
import { METHOD, parseRequestHead, RequestHead } from '../../../src/data-plane/parse/request-head.ts';
import { buildRequestHead, requestIdOf, type BuiltHead } from '../../../src/data-plane/relay/request-head-builder.ts';
import { AddressSet } from '../../../src/net/address.ts';

const PEER = '192.0.2.7';

interface Options {
  trusts?: boolean;
  forwarded?: boolean;
}

function build(text: string, options: Options = {}): BuiltHead {
  return buildWithId(text, options).built;
}

/** With the id that the log is told. */
function buildWithId(text: string, options: Options = {}): { built: BuiltHead; id: string } {
  const bytes = Buffer.from(text, 'latin1');
  const head = new RequestHead();
  const bodyStart = parseRequestHead(bytes, 0, bytes.length, { headerBytesMax: 0, headerCountMax: 0 }, head);
  expect(bodyStart).toBeGreaterThan(0);
  const exchange = new Exchange({} as AnswerSink);
  exchange.peerAddress = PEER;
  exchange.localPort = 8080;
  exchange.forwardedLines = peerOf(PEER, 8080).forwardedLines;
  exchange.listener = { spec: { via: true, forwarded: options.forwarded ?? false }, trusted: new AddressSet(options.trusts === true ? [`${PEER}/32`] : []) } as unknown as LiveListener;
  openExchange(exchange, { minorVersion: 1, method: METHOD.get, closes: false, via: false, edits: null }, head, bodyStart, false);
  exchange.route = { requestEdits: null, rewriteHost: null } as unknown as LiveRoute;
  const built: BuiltHead = { out: Buffer.alloc(0), outLength: 0 };
  buildRequestHead(exchange, head, null, built, 0);
  return { built, id: requestIdOf(built, exchange, head) };
}

const textOf = ({ out, outLength }: BuiltHead): string => out.toString('latin1', 0, outLength);

describe('the room for a built head', () => {
  it.each([false, true])('holds an authority that goes to Host, X-Forwarded-Host and Forwarded (trusted: %s)', (trusts) => {
    const name = 'a'.repeat(20_000);
    const built = build(`GET http://${name}/ HTTP/1.0\r\n\r\n`, { trusts, forwarded: true });
    expect(built.outLength).toBeLessThanOrEqual(built.out.length);
    expect(textOf(built).split(name).length).toBe(4);
    expect(textOf(built)).toMatch(/\r\n\r\n$/);
  });
});

describe('a length', () => {
  it.each(['Content-Length:\t5', 'Content-Length: 5\t', 'Content-Length: 5 ', 'content-length:   5', 'Content-Length: 0005', 'CONTENT-LENGTH: \t 05 \t'])('that came as %j goes on as a plain one', (line) => {
    const text = textOf(build(`POST / HTTP/1.1\r\nHost: a\r\n${line}\r\nX: y\r\n\r\n`));
    expect(text.match(/content-length.*/gi)).toEqual(['Content-Length: 5']);
    expect(text).toContain('\r\nX: y\r\n');
  });

  it.each(['Content-Length: 5', 'Content-Length:5', 'content-length: 0'])('that came as %j goes on as it came', (line) => {
    expect(textOf(build(`POST / HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`)).split('\r\n').filter((each) => /^content-length/i.test(each))).toEqual([line]);
  });
});

describe('the request id for the log', () => {
  it('is ours, whatever a client writes into another field', () => {
    const { built, id } = buildWithId('GET /?X-Request-ID:x HTTP/1.1\r\nHost: a\r\nX-A: X-Request-ID: spoofed\r\n\r\n');
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(textOf(built)).toContain(`\r\nX-Request-ID: ${id}\r\n`);
  });

  it('is a trusted proxy\'s, however it spells the name', () => {
    const { built, id } = buildWithId('GET / HTTP/1.1\r\nHost: a\r\nx-request-id: theirs\r\n\r\n', { trusts: true });
    expect(id).toBe('theirs');
    expect(textOf(built).match(/x-request-id/gi)).toHaveLength(1);
  });
});
