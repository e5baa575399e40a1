/** TE: what a client says of trailers, and what its backend is told (RFC 9110 §10.1.4). */
import { describe, expect, it } from 'vitest';
import { OK, scenario } from '../../support/engine-scenario.ts';

const seen = async (fields: string, version = '1.1'): Promise<string[]> => {
  const s = await scenario(() => OK);
  await s.ask(`GET / HTTP/${version}\r\nHost: a\r\n${fields}\r\n`, '\r\n\r\nok');
  return s.origin.seen[0]!.raw.split('\r\n').filter((line) => /^(?:te|connection|upgrade):/i.test(line));
};

describe('what a client says of trailers', () => {
  it.each([
    ['asked for and named', 'TE: trailers\r\nConnection: TE\r\n'],
    ['among codings, in other letters', 'te: gzip;q=0.5 ,\tTRAILERS\r\nconnection: keep-alive, te\r\n'],
    ['in several lines', 'TE: gzip\r\nTE: trailers\r\nConnection: keep-alive\r\nConnection: TE\r\n'],
  ])('trailers, %s: said to the backend', async (_name, fields) => {
    expect(await seen(fields)).toEqual(['TE: trailers', 'Connection: TE']);
  });

  it('trailers beside an upgrade: both are said in one Connection', async () => {
    expect(await seen('TE: trailers\r\nConnection: upgrade, TE\r\nUpgrade: x\r\n')).toEqual(['TE: trailers', 'Connection: TE, upgrade', 'Upgrade: x']);
  });

  it.each([
    ['not named in Connection', 'TE: trailers\r\n', '1.1'],
    ['another coding', 'TE: gzip, trailersx\r\nConnection: TE\r\n', '1.1'],
    ['a Connection that names it alone', 'Connection: TE\r\n', '1.1'],
    ['in HTTP/1.0', 'TE: trailers\r\nConnection: keep-alive, TE\r\n', '1.0'],
  ])('%s: nothing is said', async (_name, fields, version) => {
    expect(await seen(fields, version)).toEqual([]);
  });

  it('is said again where the request is', async () => {
    let count = 0;
    const s = await scenario((request) => {
      if (++count > 1) return OK;
      request.socket.destroy();
      return null;
    });
    await s.ask('GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n', '\r\n\r\nok');
    expect(s.origin.seen.map(({ raw }) => /\r\nTE: trailers\r\nConnection: TE\r\n/.test(raw))).toEqual([true, true]);
  });
});
