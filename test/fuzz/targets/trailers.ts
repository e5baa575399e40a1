/** filterTrailers: keeps whole lines as they came, in their order, and none that frames, routes or controls. */
import { filterTrailers } from '../../../src/data-plane/relay/trailers.ts';
import { fieldTokens, lineTokens } from '../dictionary.ts';
import { foldName, readFields } from '../readers/strict-request.ts';
import { textOf } from './head-properties.ts';
import { demand, demandSame, type FuzzTarget } from './target.ts';

/** RFC 9110 §6.5.1 names the kinds; RFC 9110 §7.6.1 those of the connection. Ours come last. */
export const NEVER_TRAILS = new Set([
  'transfer-encoding', 'content-length', 'host', 'connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade', 'expect', 'authorization', 'proxy-authorization', 'proxy-authenticate', 'www-authenticate', 'cookie', 'set-cookie', 'cache-control',
  'content-encoding', 'content-type', 'content-range', 'range', 'date', 'via', 'http2-settings', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port', 'x-request-id', 'forwarded', 'x-real-ip',
]);

/** What frames or routes: the whole message is refused for it. */
export const REFUSED_TRAILERS = new Set(['transfer-encoding', 'content-length', 'host', 'connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade', 'expect', 'max-forwards', 'http2-settings']);

export const trailersTarget: FuzzTarget = {
  name: 'trailers',
  watched: ['/relay/trailers.ts', '/relay/hop-headers.ts', '/parse/field-lines.ts', '/parse/field-names.ts'],
  seeds: ['X-Sum: 1\r\n\r\n', 'Content-Length: 5\r\nX-A: b\r\nHost: c\r\ngrpc-status: 0\r\n\r\n', 'X_Forwarded_For: 1\r\nCookie: a\r\n\r\n', ...[...NEVER_TRAILS].map((name) => `X-Sum: 1\r\n${name}: a\r\n\r\n`), ...fieldTokens.map((token) => `X-Sum: 1\r\n${token}X-A: b\r\n\r\n`)],
  tokens: [...lineTokens, ...fieldTokens, 'X-Sum: 1\r\n', 'grpc-status: 0\r\n', 'Set-Cookie: a\r\n', 'Authorization: a\r\n', 'Content_Type: a\r\n'],
  bytesMax: 1500,
  check(input) {
    // The decoder hands over a section that ends with its first empty line.
    const text = textOf(input);
    const end = text.indexOf('\r\n\r\n');
    if (end === -1 || text.startsWith('\r\n')) return 'none';
    const section = text.slice(0, end + 4);
    const kept = filterTrailers(Buffer.from(section, 'latin1'))?.toString('latin1') ?? null;
    const fields = readFields(section.slice(0, -4).split('\r\n'));
    if (typeof fields === 'string') {
      demandSame(kept, null, `passed, though ${fields}`);
      return 'malformed';
    }
    const refused = fields.find(({ name }) => REFUSED_TRAILERS.has(name.toLowerCase()));
    if (refused !== undefined) {
      demandSame(kept, null, `passed, though ${refused.name} trails`);
      return 'framing';
    }
    demand(kept !== null, 'refused, though well-formed');
    const lines = section.slice(0, -4).split('\r\n');
    const keptLines = kept.slice(0, -2).split('\r\n').slice(0, -1);
    let at = 0;
    for (const line of keptLines) {
      at = lines.indexOf(line, at) + 1;
      demand(at > 0, `a line that did not come, or not there: ${line}`);
      demand(!NEVER_TRAILS.has(foldName(line.slice(0, line.indexOf(':')))), `passed: ${line}`);
    }
    demandSame(keptLines.map((line) => `${line}\r\n`).join('') + '\r\n', kept, 'the section');
    const plain = fields.filter(({ name }) => /^(?:x-sum|x-a|grpc-status)$/i.test(name));
    demandSame(keptLines.filter((line) => /^(?:x-sum|x-a|grpc-status):/i.test(line)).length, plain.length, 'plain trailers lost');
    return `${keptLines.length > 0} ${keptLines.length < fields.length}`;
  },
};
