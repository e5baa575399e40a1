/** What a request asks for: forms of the target, Host, the bytes of the path, methods and versions. */
import { describe, expect, it } from 'vitest';
import type { MatchSpec } from '../../../src/shared/snapshot.ts';
import type { ListenerPatch } from '../../support/engine.ts';
import { OK, scenario } from '../../support/engine-scenario.ts';
import { arrivals, expectRefused } from '../../support/raw-cases.ts';

const any: MatchSpec = { host: null, path: null, method: null, header: null, query: null, cookie: null, source: null, sni: null, alpn: null };

const head = (line: string, fields = 'Host: a\r\n'): string => `${line}\r\n${fields}\r\n`;

describe('the form of the target', () => {
  it.each([
    ['origin form passes as it is', 'GET /a?b HTTP/1.1', 'GET /a?b HTTP/1.1', 'a'],
    ['origin form that begins with two slashes is a path', 'GET //b/c HTTP/1.1', 'GET //b/c HTTP/1.1', 'a'],
    ['origin form whose query holds an address', 'GET /?http://b/ HTTP/1.1', 'GET /?http://b/ HTTP/1.1', 'a'],
    ['absolute form becomes origin form, its authority Host', 'GET http://b.example:81/p?q HTTP/1.1', 'GET /p?q HTTP/1.1', 'b.example:81'],
    ['absolute form in capitals', 'GET HTTP://B.example/p HTTP/1.1', 'GET /p HTTP/1.1', 'B.example'],
    ['absolute form without path', 'GET http://b HTTP/1.1', 'GET / HTTP/1.1', 'b'],
    ['absolute form without path, with query', 'GET http://b?q HTTP/1.1', 'GET /?q HTTP/1.1', 'b'],
    ['absolute form with an address', 'GET http://[::1]:81/ HTTP/1.1', 'GET / HTTP/1.1', '[::1]:81'],
    ['absolute form of OPTIONS without path is the asterisk form', 'OPTIONS http://b HTTP/1.1', 'OPTIONS * HTTP/1.1', 'b'],
    ['absolute form of OPTIONS with path keeps it', 'OPTIONS http://b/ HTTP/1.1', 'OPTIONS / HTTP/1.1', 'b'],
    ['asterisk form of OPTIONS passes', 'OPTIONS * HTTP/1.1', 'OPTIONS * HTTP/1.1', 'a'],
  ])('%s', async (_name, line, expected, host) => {
    expect(await arrivals(head(line))).toEqual([head(expected, `Host: ${host}\r\n`)]);
  });

  it.each([
    ['asterisk form but for OPTIONS', 'GET * HTTP/1.1'],
    ['asterisk form with more behind it', 'OPTIONS *a HTTP/1.1'],
    ['authority form but for CONNECT', 'GET a:80 HTTP/1.1'],
    ['a path without slash', 'GET index.html HTTP/1.1'],
    ['a query alone', 'GET ?a HTTP/1.1'],
    ['absolute form of a scheme that is not ours', 'GET ftp://a/ HTTP/1.1'],
    ['absolute form of https, in the clear', 'GET https://a/ HTTP/1.1'],
    ['absolute form with one slash', 'GET http:/a HTTP/1.1'],
    ['absolute form without authority', 'GET http:///p HTTP/1.1'],
    ['absolute form with a port alone', 'GET http://:80/ HTTP/1.1'],
    ['absolute form with userinfo', 'GET http://u:p@a/ HTTP/1.1'],
    ['absolute form with a name before an at sign', 'GET http://a@b/ HTTP/1.1'],
    ['absolute form with a backslash', 'GET http://a\\b/ HTTP/1.1'],
    ['absolute form with a bad port', 'GET http://a:8x/ HTTP/1.1'],
    ['a fragment', 'GET /a#b HTTP/1.1'],
    ['a fragment of an absolute target', 'GET http://a/#b HTTP/1.1'],
    ['no target', 'GET HTTP/1.1'],
    ['a target of a space', 'GET   HTTP/1.1'],
    ['a space in the target', 'GET /a b HTTP/1.1'],
    ['a tab for the first space', 'GET\t/ HTTP/1.1'],
    ['two spaces before the version', 'GET /  HTTP/1.1'],
    ['a space behind the version', 'GET / HTTP/1.1 '],
    ['a byte beyond ASCII in the path', 'GET /caf\xc3\xa9 HTTP/1.1'],
    ['a byte beyond ASCII in the query', 'GET /?caf\xe9 HTTP/1.1'],
  ])('%s', (_name, line) => expectRefused(head(line), 400));
});

describe('Host', () => {
  it.each([
    ['missing', 'X-A: 1\r\n'],
    ['repeated, equal', 'Host: a\r\nHost: a\r\n'],
    ['repeated, differing', 'Host: a\r\nHost: b\r\n'],
    ['repeated, one empty', 'Host:\r\nHost: a\r\n'],
    ['repeated in other letters', 'Host: a\r\nhOST: b\r\n'],
    ['with userinfo', 'Host: u@a\r\n'],
    ['with a path', 'Host: a/b\r\n'],
    ['with a scheme', 'Host: http://a\r\n'],
    ['with a query', 'Host: a?b\r\n'],
    ['with a space', 'Host: a b\r\n'],
    ['with a backslash', 'Host: a\\b\r\n'],
    ['with a byte beyond ASCII', 'Host: \xe4.example\r\n'],
    ['with a percent-encoding', 'Host: a%2eb\r\n'],
    ['with quotes', 'Host: "a"\r\n'],
    ['with a port alone', 'Host: :80\r\n'],
    ['with a port that is none', 'Host: a:8x\r\n'],
    ['with a port of six digits', 'Host: a:000080\r\n'],
    ['with two ports', 'Host: a:80:81\r\n'],
    ['with an address out of brackets', 'Host: ::1\r\n'],
    ['with brackets left open', 'Host: [::1\r\n'],
    ['with nothing in brackets', 'Host: []\r\n'],
    ['with a name in brackets', 'Host: [a.example]\r\n'],
    ['with nine groups in brackets', 'Host: [1:2:3:4:5:6:7:8:9]\r\n'],
    ['with seven groups in brackets', 'Host: [1:2:3:4:5:6:7]\r\n'],
    ['with two gaps in brackets', 'Host: [1::2::3]\r\n'],
    ['with three colons in brackets', 'Host: [:::]\r\n'],
    ['with a colon at the end in brackets', 'Host: [1:2:3:4:5:6:7:]\r\n'],
    ['with a long group in brackets', 'Host: [::12345]\r\n'],
    ['with a bad last number in brackets', 'Host: [::1.2.3.256]\r\n'],
    ['with something behind brackets', 'Host: [::1]a\r\n'],
    ['missing, though underscored', 'Ho_st: a\r\n'],
  ])('%s: refused', (_name, fields) => expectRefused(head('GET / HTTP/1.1', fields), 400));

  it.each([
    ['repeated: refused in HTTP/1.0 too', 'GET / HTTP/1.0', 'Host: a\r\nHost: a\r\n'],
    ['invalid: refused in HTTP/1.0 too', 'GET / HTTP/1.0', 'Host: a/b\r\n'],
    ['invalid: refused beside an absolute target', 'GET http://a/ HTTP/1.1', 'Host: u@a\r\n'],
    ['missing: refused beside an absolute target', 'GET http://a/ HTTP/1.1', 'X-A: 1\r\n'],
    ['repeated: refused beside an absolute target', 'GET http://a/ HTTP/1.1', 'Host: a\r\nHost: a\r\n'],
  ])('%s', (_name, line, fields) => expectRefused(head(line, fields), 400));

  it.each([
    ['a name', 'a.example'],
    ['a name with port', 'a.example:8080'],
    ['a name with an empty port', 'a.example:'],
    ['a name with a final dot', 'a.example.'],
    ['a name with an underscore', 'a_b.example'],
    ['an IPv4 address', '127.0.0.1:80'],
    ['an IPv6 address', '[2001:db8::1]:80'],
    ['an IPv6 address of eight groups', '[1:2:3:4:5:6:7:8]'],
    ['an IPv6 address of nothing', '[::]'],
    ['an IPv6 address that ends in a gap', '[2001:db8::]'],
    ['an IPv6 address that ends as IPv4', '[::ffff:192.0.2.1]'],
    ['an IPv6 address of six groups that ends as IPv4', '[1:2:3:4:5:6:192.0.2.1]'],
  ])('%s passes', async (_name, host) => {
    expect(await arrivals(head('GET / HTTP/1.1', `Host: ${host}\r\n`))).toEqual([head('GET / HTTP/1.1', `Host: ${host}\r\n`)]);
  });

  it('empty: passes, and no host pattern matches it', async () => {
    expect(await arrivals(head('GET / HTTP/1.1', 'Host:\r\n'))).toEqual([head('GET / HTTP/1.1', 'Host:\r\n')]);
    const s = await scenario(() => OK, { listener: { routes: [{ match: { ...any, host: [{ kind: 'suffix', value: 'example' }] } }] } });
    expect(await s.ask(head('GET / HTTP/1.1', 'Host:\r\nConnection: close\r\n'))).toMatch(/^HTTP\/1\.1 404 /);
  });

  it('missing in HTTP/1.0: the origin gets an empty one', async () => {
    const s = await scenario(() => OK);
    await s.ask('GET / HTTP/1.0\r\n\r\n');
    expect(s.origin.seen[0]!.raw).toMatch(/^GET \/ HTTP\/1\.1\r\nHost: \r\n/);
  });

  it('unlike the absolute target: the target rules, for routing, for the origin and for what we say of it', async () => {
    const s = await scenario(() => OK, {
      listener: {
        forwarded: true,
        routes: [{ match: { ...any, host: [{ kind: 'exact', value: 'real.example' }] } }, { name: 'no', action: { kind: 'respond', status: 403, body: '', contentType: 'text/plain' } }],
      },
    });
    const answer = await s.ask('GET http://real.example/ HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    const { raw } = s.origin.seen[0]!;
    expect(raw).toMatch(/^GET \/ HTTP\/1\.1\r\nHost: real\.example\r\n/);
    expect(raw).toContain('\r\nX-Forwarded-Host: real.example\r\n');
    expect(raw).toContain(';host="real.example"\r\n');
    expect(raw).not.toContain('other.example');
    expect(await s.ask('GET http://other.example/ HTTP/1.1\r\nHost: real.example\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 403 /);
  });
});

describe('the bytes of the path', () => {
  it.each([
    ['percent-encodings of either case', '/%61%2f%2F%5c%00%0d%0a%ff'],
    ['a percent sign that begins no escape', '/100%/%zz/%2'],
    ['dot segments', '/a/./b/../c/..'],
    ['encoded dot segments', '/a/%2e%2E/b'],
    ['repeated slashes', '//a///b//'],
    ['backslashes', '/a\\b\\..\\c'],
    ['semicolons', '/a;b=c;d/..;/e'],
    ['characters that URIs do not have', '/a|b^c`d{e}f"g<h>i'],
    ['a query with anything', '/?a=b&&c=%00&/../?&"<>|\\^`{}'],
    ['an empty query', '/?'],
    ['sub-delimiters and case', "/A!b$c&d'e(f)g*h+i,j=k:l@m~n"],
  ])('%s', async (_name, target) => {
    expect(await arrivals(head(`GET ${target} HTTP/1.1`))).toEqual([head(`GET ${target} HTTP/1.1`)]);
    expect(await arrivals(head(`GET http://a${target} HTTP/1.1`))).toEqual([head(`GET ${target} HTTP/1.1`)]);
  });
});

describe('a path that could mean two routes', () => {
  const prefix = (value: string): MatchSpec => ({ ...any, path: [{ kind: 'prefix', value }] });
  const guarded: ListenerPatch = {
    routes: [
      { name: 'admin', match: prefix('/admin'), action: { kind: 'respond', status: 403, body: '', contentType: 'text/plain' } },
      { name: 'public', match: prefix('/public') },
      { name: 'rest', match: prefix('/other') },
    ],
  };
  /** The whole answer's status, and whether the origin saw it. */
  async function outcome(target: string): Promise<[number, number]> {
    const s = await scenario(() => OK, { listener: guarded });
    const answer = await s.ask(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    return [Number(answer.slice(9, 12)), s.origin.seen.length];
  }

  it.each([
    ['out of a public folder', '/public/../admin'],
    ['out of a public folder, dots encoded', '/public/%2e%2e/admin'],
    ['out of a public folder, slash encoded', '/public%2f..%2fadmin'],
    ['out of a public folder, by backslashes', '/public\\..\\admin'],
    ['out of a public folder, by encoded backslashes', '/public/..%5cadmin'],
    ['out of a public folder, in an absolute target', 'http://a/public/../admin'],
    ['into it: a closed folder as sent, a public one resolved', '/admin/../public'],
    ['into it: by encoded dots', '/admin/%2E%2E/public/x'],
    ['a closed name, a letter encoded, in a public reading', '/public/..//admin'],
    ['an empty segment that the dots take, or not', '/public/x//../../admin'],
    ['out of a public folder, by dots with a parameter', '/public/..;/admin'],
    ['out of a public folder, by dots with a parameter and a value', '/public/..;a=b/admin'],
    ['out of a public folder, by encoded dots with a parameter', '/public/%2e%2e;x/admin'],
    ['out of a public folder, by dots with an encoded semicolon', '/public/..%3Bx/admin'],
    ['out of a public folder, a slash encoded in a parameter', '/public/a;%2F../..;/admin'],
    ['a closed folder with a parameter, left again', '/admin;x/../public'],
    ['a public folder behind dots with a parameter', '/public;x/..;/..;/admin/..;/public'],
  ])('%s: 400', async (_name, target) => expect(await outcome(target)).toEqual([400, 0]));

  it.each([
    ['a letter of a closed name encoded', '/%61dmin', 400],
    ['a closed name behind two slashes', '//admin', 400],
    ['a closed name behind an encoded slash', '/%2fadmin', 400],
    ['a closed name behind a dot segment', '/./admin', 400],
    ['a closed name with a parameter', '/admin;x', 400],
    ['a closed name with a parameter, and more', '/admin;x=y/z', 400],
    ['a closed name with an encoded semicolon', '/admin%3bx', 400],
    ['a closed name behind a segment that is a parameter', '/;x/admin', 400],
    ['a closed name in every reading, with a parameter below', '/admin/x;y', 403],
    ['a closed name in either reading', '/admin/./x', 403],
    ['a closed name, dots that stay inside', '/admin/x/../y', 403],
    ['no route in either reading', '/x/../y', 404],
  ])('%s', async (_name, target, status) => expect(await outcome(target)).toEqual([status, 0]));

  it.each([
    ['dots that stay inside', '/public/a/../b'],
    ['an encoding that changes no route', '/public/%61%2Fb'],
    ['an encoded percent sign, which is decoded no further', '/public/%252e%252e/admin'],
    ['a name that begins with a dot', '/public/.well-known/x'],
    ['a parameter that changes no route', '/public/cart;jsessionid=1F/item;a=b,c;d'],
    ['a parameter of dots that stay inside', '/public/a/..;x/b'],
    ['a semicolon in the query', '/public?a;/../../admin;b'],
  ])('%s: passes unchanged', async (_name, target) => {
    expect((await arrivals(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`, { routes: [...guarded.routes!, {}] }))[0]).toBe(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
  });
});

describe('methods', () => {
  it.each([
    ['CONNECT in authority form', 'CONNECT a:443 HTTP/1.1'],
    ['CONNECT in origin form', 'CONNECT / HTTP/1.1'],
    ['CONNECT in HTTP/1.0', 'CONNECT a:443 HTTP/1.0'],
    ['TRACE', 'TRACE / HTTP/1.1'],
    ['TRACE in absolute form', 'TRACE http://a/ HTTP/1.1'],
  ])('%s: 501', (_name, line) => expectRefused(head(line), 501));

  it.each([
    ['that we do not know pass', 'PROPFIND / HTTP/1.1'],
    ['in lower case are others, and pass', 'get / HTTP/1.1'],
    ['of odd characters pass', "M-SEARCH!#$%&'*+.^_`|~ / HTTP/1.1"],
    ['like CONNECT but for its case pass', 'connect / HTTP/1.1'],
  ])('%s', async (_name, line) => expect(await arrivals(head(line))).toEqual([head(line)]));

  it('over 32 bytes: 400', () => expectRefused(head(`${'M'.repeat(33)} / HTTP/1.1`), 400));
});

describe('versions', () => {
  it.each([
    ['HTTP/2.0', 'GET / HTTP/2.0', 505],
    ['HTTP/3.0', 'GET / HTTP/3.0', 505],
    ['HTTP/0.9', 'GET / HTTP/0.9', 505],
    ['none, as in HTTP/0.9', 'GET /', 400],
    ['lower case', 'GET / http/1.1', 400],
    ['another protocol', 'GET / ICY/1.1', 400],
    ['two digits', 'GET / HTTP/1.10', 400],
    ['two digits before the dot', 'GET / HTTP/11.1', 400],
    ['no minor number', 'GET / HTTP/1', 400],
    ['no dot', 'GET / HTTP/1,1', 400],
  ])('%s', (_name, line, status) => expectRefused(head(line), status));

  it.each([
    ['HTTP/1.2 is taken for HTTP/1.1', 'GET / HTTP/1.2'],
    ['HTTP/1.9 is taken for HTTP/1.1', 'GET / HTTP/1.9'],
  ])('%s', async (_name, line) => expect(await arrivals(head(line))).toEqual([head('GET / HTTP/1.1')]));

  it('HTTP/1.0 goes to the origin as HTTP/1.1, and its answer comes as HTTP/1.1', async () => {
    const s = await scenario(() => OK.replace('HTTP/1.1', 'HTTP/1.0'));
    expect(await s.ask('GET / HTTP/1.0\r\nHost: a\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
    expect(s.origin.seen[0]!.raw).toMatch(/^GET \/ HTTP\/1\.1\r\n/);
  });

  it('what is not quite the preface of HTTP/2: 505', () => expectRefused('PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n', 505));

  it('the first bytes of TLS: 400', () => expectRefused('\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03', 400));
});

describe('Max-Forwards', () => {
  const options = (fields: string): string => `OPTIONS / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

  it.each([
    ['is counted down for OPTIONS', 'Max-Forwards: 10\r\n', 'Max-Forwards: 9\r\n'],
    ['of 1 goes on as 0', 'max-forwards: 1\r\n', 'Max-Forwards: 0\r\n'],
    ['with leading zeros is a number', 'Max-Forwards: 007\r\n', 'Max-Forwards: 6\r\n'],
  ])('%s', async (_name, field, expected) => expect(await arrivals(options(field))).toEqual([options(expected)]));

  it('of 0: OPTIONS is answered here, and the connection goes on', async () => {
    const s = await scenario(() => OK);
    const client = await s.client();
    client.send(`${options('Max-Forwards: 0\r\n')}GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    const answers = await client.untilEnd();
    expect(answers).toMatch(/^HTTP\/1\.1 200 OK\r\nDate: [^\r\n]+\r\nContent-Length: 0\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    expect(s.origin.seen.map((request) => request.path)).toEqual(['/next']);
  });

  it('of 0 in the asterisk form: answered here', async () => {
    const s = await scenario(() => OK);
    expect(await s.ask('OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(s.origin.seen).toHaveLength(0);
  });

  it('means nothing to other methods, and passes', async () => {
    const get = 'GET / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n';
    expect(await arrivals(get)).toEqual([get]);
  });

  it.each([
    ['that is no number', 'Max-Forwards: x\r\n'],
    ['below zero', 'Max-Forwards: -1\r\n'],
    ['repeated', 'Max-Forwards: 1\r\nMax-Forwards: 1\r\n'],
  ])('%s: refused', (_name, field) => expectRefused(options(field), 400));
});
