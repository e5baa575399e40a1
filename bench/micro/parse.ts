/**
 * Nanoseconds to parse a request's head: a small one and a browser's. Short
 * bursts, of which the best counts, so that a machine with other work tells
 * nearly the same. Run: node bench/micro/parse.ts
 */
import { parseRequestHead, RequestHead } from '../../src/data-plane/parse/request-head.ts';

const BURSTS = 400;
const BURST_HEADS = 1000;
const limits = { headerBytesMax: 65536, headerCountMax: 100 };

const heads = {
  small: ['GET / HTTP/1.1', 'Host: 127.0.0.1:8080', 'Connection: keep-alive'],
  browser: [
    'GET /products/overview?page=2 HTTP/1.1',
    'Host: www.example.com',
    'Connection: keep-alive',
    'Cache-Control: max-age=0',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36',
    'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
    'Sec-Fetch-Dest: document',
    'Sec-Fetch-Mode: navigate',
    'Sec-Fetch-Site: same-origin',
    'Referer: https://www.example.com/products',
    'Accept-Encoding: gzip, deflate, br, zstd',
    'Accept-Language: en-US,en;q=0.9,de;q=0.8',
    'Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=yes',
  ],
};

for (const [name, lines] of Object.entries(heads)) {
  const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  const head = new RequestHead();
  let bestNs = Infinity;
  for (let burst = 0; burst < BURSTS; burst++) {
    const startMs = performance.now();
    for (let i = 0; i < BURST_HEADS; i++) {
      if (parseRequestHead(bytes, 0, bytes.length, limits, head) !== bytes.length) throw new Error(`the ${name} head does not parse`);
    }
    bestNs = Math.min(bestNs, ((performance.now() - startMs) / BURST_HEADS) * 1e6);
  }
  console.log(`${name.padEnd(8)} ${bytes.length} bytes ${bestNs.toFixed(0)} ns`);
}
