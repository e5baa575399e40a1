/** Pieces of HTTP/1.1, and of attacks on it, that mutations put into inputs. */

export const lineTokens = [
  '\r\n', '\n', '\r', '\r\n\r\n', '\n\n', '\r\r\n', '\0', '\t', '\x0b', '\x0c', '\x1f', '\x7f', '\x80', '\x85', '\xa0', '\xff', ' ', '  ', ':', ': ', ' :', ',', ';', '_', '"', '\r\n ', '\r\n\t',
];

export const fieldTokens = [
  'Host: a\r\n', 'Host: b\r\n', 'Host:\r\n', 'Host: a:80\r\n', 'Host: [::1]:80\r\n', 'Host: a@b\r\n', 'Host : a\r\n', 'host:a\r\n', 'Content-Length: 0\r\n', 'Content-Length: 5\r\n', 'Content-Length: +5\r\n',
  'Content-Length: 5, 5\r\n', 'Content-Length: 05\r\n', 'Content-Length: 9007199254740991\r\n', 'Content-Length: 18446744073709551616\r\n', 'Content_Length: 5\r\n', 'Content-Length\x0b: 5\r\n', 'Content-Length: 5\t\r\n',
  'Transfer-Encoding: chunked\r\n', 'Transfer-Encoding: Chunked \r\n', 'Transfer-Encoding: identity\r\n', 'Transfer-Encoding: gzip, chunked\r\n', 'Transfer-Encoding: chunked, chunked\r\n', 'Transfer-Encoding: "chunked"\r\n',
  'Transfer-Encoding:\tchunked\r\n', 'Transfer-Encoding: xchunked\r\n', 'Transfer-Encoding : chunked\r\n', 'Transfer_Encoding: chunked\r\n', 'Transfer-Encoding: chunked;a=b\r\n', 'Transfer-Encoding: \x00chunked\r\n', 'TRANSFER-ENCODING: CHUNKED\r\n',
  'Connection: close\r\n', 'Connection: keep-alive\r\n', 'Connection: upgrade\r\n', 'Connection: te, x-a\r\n', 'Connection: content-length, host\r\n', 'Connection: transfer-encoding\r\n', 'Connection: x-real-ip, date, via\r\n', 'Connection: ,,close,\r\n',
  'Keep-Alive: timeout=5\r\n', 'Proxy-Connection: keep-alive\r\n', 'TE: trailers\r\n', 'TE: gzip;q=1, trailers\r\n', 'Trailer: X-Sum\r\n', 'Upgrade: websocket\r\n', 'Upgrade: h2c\r\n', 'Expect: 100-continue\r\n', 'Expect: x\r\n',
  'X-Forwarded-For: 1.2.3.4\r\n', 'X_Forwarded_For: 1.2.3.4\r\n', 'X-Forwarded-Proto: https\r\n', 'X-Forwarded-Host: evil\r\n', 'X-Forwarded_Port: 1\r\n', 'X-Request-ID: abc\r\n', 'Forwarded: for=1.2.3.4\r\n', 'X-Real-IP: 1.2.3.4\r\n', 'Via: 1.0 a\r\n',
  'HTTP2-Settings: AAMAAABk\r\n', 'X-A: b\r\n', 'X-A:\r\n', 'X.A: b\r\n', 'X_A: b\r\n', "!#$%&'*+-.^_`|~: b\r\n", 'Cookie: a=b; c=d\r\n', 'Accept: */*\r\n', ' folded\r\n', '\tfolded\r\n', ': b\r\n', 'no colon\r\n', 'Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n', 'Proxy-Authorization: Basic YQ==\r\n',
];

export const requestTokens = [
  ...lineTokens, ...fieldTokens, 'GET ', 'HEAD ', 'POST ', 'PUT ', 'DELETE ', 'PATCH ', 'OPTIONS ', 'CONNECT ', 'TRACE ', 'PRI ', 'get ', 'M-SEARCH ', '/', '//', '/.', '/..', '/%2e%2e/', '\\', '*', '?', '#', '%', '@', 'http://', 'HTTPS://', 'http://a', 'http://a:80', 'http://[::1]',
  'ftp://a/', ' HTTP/1.1\r\n', ' HTTP/1.0\r\n', ' HTTP/1.2\r\n', ' HTTP/2.0\r\n', ' HTTP/0.9\r\n', ' http/1.1\r\n', 'HTTP/1.1', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
];

export const responseTokens = [
  ...lineTokens, ...fieldTokens, 'HTTP/1.1 200 OK\r\n', 'HTTP/1.0 200 OK\r\n', 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 101 Switching Protocols\r\n', 'HTTP/1.1 204 No Content\r\n', 'HTTP/1.1 304 Not Modified\r\n', 'HTTP/1.1 200\r\n', 'HTTP/1.1 999 X\r\n', 'HTTP/1.1 099 X\r\n', 'HTTP/2 200\r\n', 'ICY 200 OK\r\n', 'Set-Cookie: a=b\r\n', 'Server: x\r\n',
];

export const chunkTokens = [
  ...lineTokens, '0\r\n\r\n', '0\r\n', '5\r\nhello\r\n', '1\r\nx\r\n', 'a\r\n0123456789\r\n', 'A;x=y\r\n0123456789\r\n', '00', '0x', '-1', '+1', 'fffffffffffff', '10000000000000', 'ffffffffffffffff', ';a', ';a="b"', ';a="\r\n"', ' ;a', '; ', 'g', 'X-Sum: 1\r\n', 'Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n', 'Host: b\r\n', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
];
