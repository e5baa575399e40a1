import { describe, expect, it } from 'vitest';
import { errorCodes, errorSpecs } from '../../../src/base/errors.ts';
import { Exchange, type AnswerSink } from '../../../src/data-plane/exchange.ts';
import { METHOD } from '../../../src/data-plane/parse/request-head.ts';
import { mayBeSentAgain } from '../../../src/data-plane/relay/retry-rules.ts';
import { acceptsJson, errorReply } from '../../../src/data-plane/relay/own-replies.ts';
import { filterTrailers } from '../../../src/data-plane/relay/trailers.ts';
import { REQUEST_ID_LENGTH, writeRequestIdLine } from '../../../src/data-plane/relay/request-id.ts';

function exchange(patch: Partial<Exchange>): Exchange {
  return Object.assign(new Exchange({} as AnswerSink), { attempts: 1 }, patch);
}

describe('retry rules', () => {
  it('a failed connect: any method, with body, up to twice more', () => {
    for (const code of ['connect-refused', 'connect-timeout', 'connect-failed', 'backend-tls-failed'] as const) {
      for (const method of Object.values(METHOD)) expect(mayBeSentAgain(exchange({ method, hasBody: true }), code)).toBe(true);
      expect(mayBeSentAgain(exchange({ attempts: 2 }), code)).toBe(true);
      expect(mayBeSentAgain(exchange({ attempts: 3 }), code)).toBe(false);
    }
  });

  it('a lost connection: GET, HEAD and OPTIONS without body, once', () => {
    const may = (patch: Partial<Exchange>): boolean => mayBeSentAgain(exchange(patch), 'connection-lost');
    expect([METHOD.get, METHOD.head, METHOD.options].map((method) => may({ method }))).toEqual([true, true, true]);
    expect([METHOD.post, METHOD.put, METHOD.delete, METHOD.patch, METHOD.other].map((method) => may({ method }))).toEqual([false, false, false, false, false]);
    expect(may({ method: METHOD.get, hasBody: true })).toBe(false);
    expect(may({ method: METHOD.get, attempts: 2 })).toBe(false);
    expect(may({ method: METHOD.get, hasAnswered: true })).toBe(false);
  });

  it('nothing else', () => {
    const others = errorCodes.filter((code) => !code.startsWith('connect') && code !== 'stream-refused' && code !== 'backend-tls-failed');
    for (const code of others) expect(mayBeSentAgain(exchange({ method: METHOD.get }), code)).toBe(false);
  });
});

describe('own replies', () => {
  it.each([
    ['application/json', true],
    ['application/problem+json', true],
    ['text/html,application/xhtml+xml,*/*;q=0.8', false],
    ['text/html, application/json;q=0.9', false],
    ['application/json, text/plain', true],
    ['application/json;q=0', false],
    ['*/*', false],
    ['', false],
  ])('Accept: %s → JSON %s', (accept, expected) => expect(acceptsJson(accept)).toBe(expected));

  it('exist for every code that has a status', () => {
    for (const code of errorCodes.filter((each) => errorSpecs[each].status !== 0)) {
      expect(errorReply(code, false).body).toContain(errorSpecs[code].text);
      expect(JSON.parse(errorReply(code, true).body)).toMatchObject({ status: errorSpecs[code].status, error: code });
    }
  });
});

describe('trailers', () => {
  const filter = (text: string): string | null => filterTrailers(Buffer.from(text, 'latin1'))?.toString('latin1') ?? null;

  it('pass unless they control, authenticate or are ours', () => {
    expect(filter('X-Sum: 1\r\nSet-Cookie: a\r\ngrpc-status: 0\r\n\r\n')).toBe('X-Sum: 1\r\ngrpc-status: 0\r\n\r\n');
    expect(filter('X-Forwarded-For: 1\r\nX_Forwarded_For: 1\r\nContent_Type: x\r\n\r\n')).toBe('\r\n');
  });

  it.each(['Content-Length', 'Transfer-Encoding', 'Trailer', 'Host', 'Max-Forwards', 'Expect', 'Connection', 'Keep-Alive', 'Proxy-Connection', 'TE', 'Upgrade', 'HTTP2-Settings'])('with %s are refused, wherever it stands', (name) => {
    for (const line of [`${name}: 5\r\n`, `${name.toLowerCase()}:\r\n`]) {
      expect(filter(`${line}X-Sum: 1\r\n\r\n`)).toBeNull();
      expect(filter(`X-Sum: 1\r\n${line}\r\n`)).toBeNull();
    }
  });

  it.each(['A : b\r\n\r\n', 'A\r\n\r\n', 'A: b\r\n c\r\n\r\n', 'A: \0\r\n\r\n'])('%j is malformed', (text) => expect(filter(text)).toBeNull());
});

it('request ids are of one length and never the same', () => {
  const name = 'X-Request-ID: ';
  const out = Buffer.alloc(name.length + REQUEST_ID_LENGTH + 2);
  const seen = new Set<string>();
  for (let i = 0; i < 10_000; i++) {
    expect(writeRequestIdLine(out, 0)).toBe(out.length);
    seen.add(out.toString('latin1'));
  }
  expect(seen.size).toBe(10_000);
  for (const line of seen) expect(line).toMatch(/^X-Request-ID: [0-9a-f]{32}\r\n$/);
});
