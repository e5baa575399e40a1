/** Requests for the differential runs: valid-ish ones put together from pieces, some of them mutated, some two on one connection. */
import type { Random } from '../../../src/base/random.ts';
import { chunkTokens, fieldTokens, requestTokens } from '../dictionary.ts';
import { mutate } from '../mutate.ts';

const BYTES_MAX = 6000;

const methods = ['GET', 'GET', 'GET', 'POST', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH', 'M-SEARCH', 'BREW', 'get'];
const targets = ['/', '/a', '/a/b?c=d', '/%2e%2e/a', '/a//b', '/.', '/a/../b', '/?', '/a;b', '/a%00', '/"<>', '/a%2Fb', '*', 'http://a/b', 'http://a:80', 'http://a?x', 'https://a/', '//a', '/a?b?c', '/a|b{c}', '/a\\b', '/~^`'];
const versions = ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/1.2'];
const hosts = ['Host: a', 'Host: a', 'Host: a', 'Host: a:80', 'Host: [::1]', 'Host: A.b-c', 'Host:', 'Host: a_b', 'host:a', "Host: a!$&'()*+,;=b", 'Host: a:', 'Host: a..b', 'Host: a:99999', 'Host: 127.1'];
const bodies = ['Content-Length: 0\r\n\r\n', 'Content-Length: 5\r\n\r\nhello', 'Content-Length: 05\r\n\r\nhello', 'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n00\r\nX-Sum: 1\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n000001\r\nx\r\n0\r\nHost: b\r\nX-A: c\r\n\r\n'];

function pick<T>(from: readonly T[], random: Random): T {
  return from[random.below(from.length)]!;
}

function compose(random: Random): string {
  const lines = [pick(hosts, random) + '\r\n'];
  for (let count = random.below(4); count > 0; count--) lines.splice(random.below(lines.length + 1), 0, pick(fieldTokens, random));
  const body = random.below(2) === 0 ? '\r\n' : pick(bodies, random);
  return `${pick(methods, random)} ${pick(targets, random)} ${pick(versions, random)}\r\n${lines.join('')}${body}`;
}

const tokens = [...requestTokens, ...chunkTokens];

export function generateRequests(random: Random): Buffer {
  const one = compose(random);
  const text = random.below(6) === 0 ? one + compose(random) : one;
  // A third is sent as composed: mutations of well-formed requests are refused by everyone, mostly.
  const sent = random.below(3) === 0 ? text : mutate(text, compose(random), tokens, BYTES_MAX, random);
  return Buffer.from(sent, 'latin1');
}
