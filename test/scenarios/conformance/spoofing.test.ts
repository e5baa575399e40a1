/** What we say of a client, the client cannot say; and what Connection names it takes away, but nothing that frames or routes. */
import { describe, expect, it } from 'vitest';
import type { ListenerPatch } from '../../support/engine.ts';
import { OK, scenario } from '../../support/engine-scenario.ts';
import { arrivals } from '../../support/raw-cases.ts';

const trusting: ListenerPatch = { trustedProxies: ['127.0.0.0/8'] };
const CLOSE = 'Connection: close\r\n';

/** Field lines the origin gets, as [name in lower case, value], in order. */
async function fieldsAtOrigin(lines: string, listener: ListenerPatch = {}): Promise<[string, string][]> {
  const s = await scenario(() => OK, { listener });
  await s.ask(`GET / HTTP/1.1\r\nHost: a\r\n${lines}${/connection:/i.test(lines) ? '' : CLOSE}\r\n`, 'ok');
  const { raw } = s.origin.seen[0]!;
  return raw.slice(0, raw.indexOf('\r\n\r\n')).split('\r\n').slice(1).map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]);
}

function valuesOf(fields: [string, string][], name: string): string[] {
  return fields.filter(([each]) => each.replaceAll('_', '-') === name).map(([, value]) => value);
}

/** Name, what a liar says, and what the origin must see of an untrusted client; null: nothing. */
const ours: readonly (readonly [name: string, lie: string, truth: string | RegExp | null])[] = [
  ['X-Forwarded-For', '6.6.6.6', '127.0.0.1'],
  ['X-Forwarded-Proto', 'https', 'http'],
  ['X-Forwarded-Host', 'evil.example', 'a'],
  ['X-Forwarded-Port', '666', /^\d+$/],
  ['X-Request-ID', 'mine', /^[0-9a-f]{32}$/],
  ['Forwarded', 'for=6.6.6.6', null],
  ['X-Real-IP', '6.6.6.6', null],
];

/** Every way a name can be written that some origin reads as the same field. */
function spellings(name: string): string[] {
  const parts = name.split('-');
  const joins = parts.length === 1 ? [name] : Array.from({ length: 2 ** (parts.length - 1) }, (_, mask) => parts.reduce((text, part, i) => text + (mask & (1 << (i - 1)) ? '_' : '-') + part));
  return joins.flatMap((text) => [text, text.toLowerCase(), text.toUpperCase()]);
}

describe('an untrusted client cannot speak for itself', () => {
  const check = (fields: [string, string][], name: string, lie: string, truth: string | RegExp | null): void => {
    const values = valuesOf(fields, name.toLowerCase());
    expect(values).toHaveLength(truth === null ? 0 : 1);
    if (truth !== null) expect(values[0]).toMatch(truth);
    if (name !== 'X-Forwarded-Port') expect(fields.map(([, value]) => value)).not.toContain(lie);
  };

  it('in any spelling of a field we set', async () => {
    for (const [name, lie, truth] of ours) {
      for (const spelling of spellings(name)) check(await fieldsAtOrigin(`${spelling}: ${lie}\r\n`), name, lie, truth);
    }
  });

  it('by repeating it in several spellings', async () => {
    for (const [name, lie, truth] of ours) {
      const lines = [...spellings(name), ...spellings(name)].map((spelling) => `${spelling}: ${lie}\r\n`).join('');
      check(await fieldsAtOrigin(lines), name, lie, truth);
    }
  });

  it('by naming it in Connection, which takes ours away nowhere', async () => {
    for (const [name, lie, truth] of ours) {
      for (const spelling of spellings(name)) {
        check(await fieldsAtOrigin(`Connection: close, ${spelling}\r\n`), name, lie, truth);
        check(await fieldsAtOrigin(`${spelling}: ${lie}\r\nConnection: close, ${spelling}\r\n`), name, lie, truth);
      }
    }
  });

  it('by values that end our line early', async () => {
    const fields = await fieldsAtOrigin('X-A: 1\xe5\x8d\x8a\xe5\x98\x8d\xe5\x98\x8aX-Forwarded-For: 6.6.6.6\r\n');
    expect(valuesOf(fields, 'x-forwarded-for')).toEqual(['127.0.0.1']);
  });

  it('through a listener that trusts other addresses', async () => {
    expect(valuesOf(await fieldsAtOrigin('X-Forwarded-For: 6.6.6.6\r\n', { trustedProxies: ['10.0.0.0/8', '::1/128'] }), 'x-forwarded-for')).toEqual(['127.0.0.1']);
  });

  it('past a route that sets a field', async () => {
    const listener: ListenerPatch = { routes: [{ requestHeaders: { remove: ['X-Role'], set: [['X-User', 'nobody']], add: [] } }] };
    for (const spelling of [...spellings('X-User'), ...spellings('X-Role')]) {
      const fields = await fieldsAtOrigin(`${spelling}: root\r\n`, listener);
      expect(valuesOf(fields, 'x-user')).toEqual(['nobody']);
      expect(valuesOf(fields, 'x-role')).toEqual([]);
      expect(valuesOf(await fieldsAtOrigin(`Connection: close, ${spelling}\r\n`, listener), 'x-user')).toEqual(['nobody']);
    }
  });
});

describe('a trusted proxy is believed', () => {
  it('in the true spelling, and extended', async () => {
    const fields = await fieldsAtOrigin('X-Forwarded-For: 9.9.9.9\r\nx-forwarded-for: 8.8.8.8\r\nX-Forwarded-Proto: https\r\nX-Request-ID: mine\r\nForwarded: for=9.9.9.9\r\n', trusting);
    expect(valuesOf(fields, 'x-forwarded-for')).toEqual(['9.9.9.9, 8.8.8.8, 127.0.0.1']);
    expect(valuesOf(fields, 'x-forwarded-proto')).toEqual(['https']);
    expect(valuesOf(fields, 'x-request-id')).toEqual(['mine']);
    expect(valuesOf(fields, 'forwarded')).toEqual(['for=9.9.9.9']);
  });

  it('in no disguise', async () => {
    for (const [name, lie] of ours) {
      for (const spelling of spellings(name).filter((text) => text.includes('_'))) {
        const fields = await fieldsAtOrigin(`${spelling}: ${lie}\r\n`, trusting);
        expect(fields.map(([each]) => each)).not.toContain(spelling.toLowerCase());
        expect(valuesOf(fields, name.toLowerCase())).not.toContain(lie);
      }
    }
  });

  it('though Connection names what it says', async () => {
    const fields = await fieldsAtOrigin('Connection: close, X-Forwarded-For, X-Forwarded-Proto\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\n', trusting);
    expect(valuesOf(fields, 'x-forwarded-for')).toEqual(['9.9.9.9, 127.0.0.1']);
    expect(valuesOf(fields, 'x-forwarded-proto')).toEqual(['https']);
  });
});

describe('Connection takes away the fields it names', () => {
  const post = 'POST / HTTP/1.1\r\nHost: a\r\n';
  it.each([
    ['once', 'Connection: X-A\r\nX-A: 1\r\nX-B: 2\r\n', 'X-B: 2\r\n'],
    ['in other letters', 'Connection: x-a\r\nX-A: 1\r\nX-B: 2\r\n', 'X-B: 2\r\n'],
    ['before it and behind it, each time', 'X-A: 1\r\nConnection: X-A\r\nX-B: 2\r\nX-A: 3\r\n', 'X-B: 2\r\n'],
    ['in a list with empty members and white space', 'Connection: ,X-A ,\t X-C,,\r\nX-A: 1\r\nX-C: 3\r\nX-B: 2\r\n', 'X-B: 2\r\n'],
    ['in several lines', 'Connection: X-A\r\nX-A: 1\r\nConnection: X-C\r\nX-C: 3\r\nX-B: 2\r\n', 'X-B: 2\r\n'],
    ['but not a longer or shorter name', 'Connection: X-A\r\nX-AB: 1\r\nX: 3\r\n', 'X-AB: 1\r\nX: 3\r\n'],
    ['even one that all hops usually keep', 'Connection: Cookie\r\nCookie: a=b\r\nX-B: 2\r\n', 'X-B: 2\r\n'],
    ['those known to end here though it does not name them', 'Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nUpgrade: x\r\nHTTP2-Settings: x\r\nX-B: 2\r\n', 'X-B: 2\r\n'],
  ])('%s', async (_name, lines, expected) => {
    expect(await arrivals(`${post}${lines}\r\n`)).toEqual([`${post}${expected}\r\n`]);
  });

  it.each([
    ['but not Host', 'Connection: host\r\n', '', ''],
    ['but not the length', 'Connection: content-length\r\nContent-Length: 5\r\n', 'Content-Length: 5\r\n', 'hello'],
    ['but not the coding', 'Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n', 'Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'],
    ['but not Via', 'Connection: via\r\nVia: 1.1 x\r\n', 'Via: 1.1 x\r\n', ''],
    ['but not Max-Forwards', 'Connection: max-forwards\r\nMax-Forwards: 5\r\n', 'Max-Forwards: 5\r\n', ''],
  ])('%s', async (_name, lines, expected, body) => {
    expect(await arrivals(`${post}${lines}\r\n${body}`)).toEqual([`${post}${expected}\r\n${body}`]);
  });

  it('of an answer too, wherever it stands', async () => {
    const orders = ['Connection: X-A, X-Request-ID, x-c\r\nX-A: 1\r\nX-Stay: 1\r\nX-Request-ID: 2\r\nX-C: 3\r\n', 'X-A: 1\r\nX-C: 3\r\nX-Stay: 1\r\nX-Request-ID: 2\r\nConnection: X-Request-ID, x-c, X-A\r\n'];
    for (const lines of orders) {
      const s = await scenario(() => `HTTP/1.1 200 OK\r\nDate: then\r\n${lines}Content-Length: 2\r\n\r\nok`);
      expect(await s.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n', '\r\n\r\nok')).toBe('HTTP/1.1 200 OK\r\nDate: then\r\nX-Stay: 1\r\nContent-Length: 2\r\n\r\nok');
    }
  });

  it('of an answer, but not its length, its coding or its date', async () => {
    const s = await scenario(() => 'HTTP/1.1 200 OK\r\nConnection: Content-Length, Date, Via\r\nDate: then\r\nVia: 1.1 x\r\nContent-Length: 2\r\n\r\nok');
    expect(await s.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n', '\r\n\r\nok')).toBe('HTTP/1.1 200 OK\r\nDate: then\r\nVia: 1.1 x\r\nContent-Length: 2\r\n\r\nok');
  });

  it('of an answer, in its trailers', async () => {
    const s = await scenario(() => 'HTTP/1.1 200 OK\r\nConnection: X-A\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-A: 1\r\nX-Sum: 2\r\n\r\n');
    expect(await s.ask('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(/\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 2\r\n\r\n$/);
  });
});
