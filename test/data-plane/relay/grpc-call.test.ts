import { describe, expect, it } from 'vitest';
import type { Exchange } from '../../../src/data-plane/exchange.ts';
import { parseRequestHead, RequestHead } from '../../../src/data-plane/parse/request-head.ts';
import { grpcTimeoutMs, replyFor } from '../../../src/data-plane/relay/grpc-call.ts';
import { errorReply, fixedReply } from '../../../src/data-plane/relay/own-replies.ts';

const headOf = (fields: string): { bytes: Buffer; head: RequestHead } => {
  const bytes = Buffer.from(`POST /s/m HTTP/1.1\r\nHost: a\r\n${fields}\r\n`, 'latin1');
  const head = new RequestHead();
  expect(parseRequestHead(bytes, 0, bytes.length, { headerBytesMax: 0, headerCountMax: 0 }, head)).toBe(bytes.length);
  return { bytes, head };
};

describe('the deadline of a call', () => {
  it.each([
    ['1S', 1000], ['250m', 250], ['2M', 120_000], ['1H', 3_600_000], ['5000u', 5], ['1n', 1], ['99999999H', 99_999_999 * 3_600_000],
    ['', 0], ['1', 0], ['S', 0], ['123456789S', 0], ['-1S', 0], ['1.5S', 0], ['1s', 0], ['1S, 2S', 0],
  ])('%j is %i ms', (text, ms) => {
    expect(grpcTimeoutMs(headOf(`grpc-timeout: ${text}\r\n`).head)).toBe(ms);
  });

  it('may be absent', () => {
    expect(grpcTimeoutMs(headOf('x-a: 1\r\n').head)).toBe(0);
  });
});

describe('a failure of ours', () => {
  const told = (fields: string, reply = errorReply('no-backend', false)): ReturnType<typeof replyFor> => {
    const { bytes } = headOf(fields);
    return replyFor(reply, { requestBytes: bytes, requestStart: 0, requestEnd: bytes.length } as Exchange, new RequestHead());
  };

  it.each(['application/grpc', 'application/grpc+proto', 'Application/gRPC; x=y'])('is a status of gRPC for %s', (type) => {
    expect(told(`Content-Type: ${type}\r\n`)).toEqual({ status: 200, fields: 'Content-Type: application/grpc\r\ngrpc-status: 14\r\ngrpc-message: No backend is available.\r\n', body: '' });
  });

  it.each(['application/grpc-web', 'application/json', 'text/plain'])('is one of HTTP for %s', (type) => {
    expect(told(`Content-Type: ${type}\r\n`).status).toBe(503);
  });

  it.each([
    ['response-timeout', 4], ['total-timeout', 4], ['connection-lost', 14], ['rate-limited', 14], ['no-route', 12], ['ambiguous-path', 13], ['body-too-large', 8], ['not-implemented', 12],
  ] as const)('%s is status %i', (code, status) => {
    expect(told('Content-Type: application/grpc\r\n', errorReply(code, false)).fields).toContain(`\r\ngrpc-status: ${status}\r\n`);
  });

  it('has a message in which no byte ends a line', () => {
    expect(told('Content-Type: application/grpc\r\n', { status: 503, fields: '', body: 'ä%\r\0' }).fields).toContain('grpc-message: %C3%A4%25%0D%00\r\n');
  });

  it('is not what a route says on purpose', () => {
    expect(told('Content-Type: application/grpc\r\n', fixedReply(200, 'text/plain', 'ok')).body).toBe('ok');
  });
});
