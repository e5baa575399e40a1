import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRequestHead, RequestHead } from '../../../src/data-plane/parse/request-head.ts';
import { barePath, mayReadTwoWays, pathReadings, resolvePath } from '../../../src/data-plane/route/path-readings.ts';

/** Path as sent → what it resolves to. */
const resolved: readonly (readonly [sent: string, resolved: string])[] = [
  // Unreserved characters are decoded, in either case of the digits.
  ['/%61%62c', '/abc'],
  ['/%7Euser', '/~user'],
  ['/%7euser', '/~user'],
  ['/%41%5A%30%39%2D%2E%5f%7E', '/AZ09-._~'],
  // All others stay as they are.
  ['/a%20b', '/a%20b'],
  ['/a%3Ab%3ab', '/a%3Ab%3ab'],
  ['/caf%C3%A9', '/caf%C3%A9'],
  ['/%00', '/%00'],
  ['/%3F%23%25', '/%3F%23%25'],
  // Slashes, and backslashes for slashes.
  ['/a%2Fb', '/a/b'],
  ['/a%2fb', '/a/b'],
  ['/a\\b', '/a/b'],
  ['/a%5Cb', '/a/b'],
  ['/a%5cb', '/a/b'],
  ['/%2F', '/'],
  // Merged.
  ['//', '/'],
  ['//a', '/a'],
  ['/a///b', '/a/b'],
  ['/a//', '/a/'],
  ['/a/%2F/b', '/a/b'],
  ['/a/\\b', '/a/b'],
  // Dots, by the examples of RFC 3986 §5.4 among others.
  ['/b/c/./g', '/b/c/g'],
  ['/b/c/g/.', '/b/c/g/'],
  ['/b/c/g/..', '/b/c/'],
  ['/b/c/..', '/b/'],
  ['/b/c/../g', '/b/g'],
  ['/b/c/../../g', '/g'],
  ['/b/c/../../../../g', '/g'],
  ['/a/b/c/./../../g', '/a/g'],
  ['/..', '/'],
  ['/.', '/'],
  ['/./', '/'],
  ['/../', '/'],
  ['/a/%2e%2e/b', '/b'],
  ['/a/.%2E/b', '/b'],
  ['/a/%2e/b', '/a/b'],
  ['/a%2F..%2Fb', '/b'],
  ['/a\\..\\b', '/b'],
  ['/a/..%5cb', '/b'],
  // Not dot segments.
  ['/a/.../b', '/a/.../b'],
  ['/.well-known/x', '/.well-known/x'],
  ['/a/..b/c', '/a/..b/c'],
  ['/a./b../c', '/a./b../c'],
  // Decoded once only.
  ['/%252e%252e/b', '/%252e%252e/b'],
  ['/a%252Fb', '/a%252Fb'],
  // A percent sign that begins no escape stands for itself, and makes none together with what is decoded.
  ['/100%', '/100%'],
  ['/%', '/%'],
  ['/%zz', '/%zz'],
  ['/%4', '/%4'],
  ['/%%41', '/%%41'],
  ['/%2%65', '/%2%65'],
  ['/%%32%65', '/%%32e'],
  ['/%/%61', '/%/a'],
  ['/%z%61', '/%za'],
  ['/%2%66/..', '/'],
  ['/%zz%61', '/%zza'],
];

describe('resolvePath', () => {
  it.each(resolved)('reads %s as %s', (sent, expected) => {
    expect(resolvePath(sent)).toBe(expected);
  });

  it('leaves alone what is no path', () => {
    expect(resolvePath('*')).toBe('*');
    expect(pathReadings('*')).toEqual(['*']);
    expect(pathReadings('')).toEqual(['']);
  });
});

describe('pathReadings', () => {
  it.each(resolved)('of %s: as sent, and resolved if that differs', (sent, expected) => {
    expect(pathReadings(sent)).toEqual(sent === expected ? [sent] : [sent, expected]);
  });

  it('has both orders of merging and resolving where they differ', () => {
    expect(pathReadings('/a//../b')).toEqual(['/a//../b', '/b', '/a/b']);
    expect(pathReadings('/x/../admin//../y')).toEqual(['/x/../admin//../y', '/y', '/admin/y']);
    expect(pathReadings('/a%2F/%2e./b')).toEqual(['/a%2F/%2e./b', '/b', '/a/b']);
    expect(pathReadings('/a/..//b')).toEqual(['/a/..//b', '/b']);
  });

  it.each<[sent: string, ...others: string[]]>([
    ['/admin;x', '/admin'],
    ['/admin;x=1;y=2/z;w', '/admin/z'],
    ['/;x/admin', '//admin', '/admin'],
    // Without its parameter a dot segment is one.
    ['/public/..;/admin', '/public/../admin', '/admin'],
    ['/public/.;x/..;y=z/admin', '/public/./../admin', '/admin'],
    ['/public/%2e%2E;x/admin', '/public/..;x/admin', '/public/%2e%2E/admin', '/admin'],
    // And with one, what it would have taken stays.
    ['/admin;x/../public', '/public', '/admin/../public'],
    ['/a;x/..;/b', '/a/../b', '/b'],
    // Escaped: for who decodes first.
    ['/public/..%3B/admin', '/admin'],
    ['/admin%3bx', '/admin'],
    // A slash encoded in a parameter: part of it for who cuts first, its end for who decodes first.
    ['/a/b;%2Fc', '/a/b;/c', '/a/b', '/a/b/c'],
    ['/a/b;\\c', '/a/b;/c', '/a/b', '/a/b/c'],
    // Both orders of merging and resolving here too.
    ['/a/;x/..;/b', '/a//../b', '/b', '/a/b'],
    // Decoded once.
    ['/a%253Bb', '/a%253Bb'],
  ])('without parameters: %s', (sent, ...others) => {
    expect(pathReadings(sent)).toEqual([...new Set([sent, ...others])]);
  });

  it('is as long as the path allows, not its square', () => {
    expect(pathReadings('/a;b'.repeat(10_000))[1]).toBe('/a'.repeat(10_000));
    expect(pathReadings(`/${';'.repeat(30_000)}`)).toHaveLength(2);
    expect(pathReadings('/..;'.repeat(10_000)).at(-1)).toBe('/');
    const deep = `/${'a/'.repeat(16_000)}`;
    expect(pathReadings(deep)).toEqual([deep]);
    expect(pathReadings(deep + '../'.repeat(16_000))[1]).toBe('/');
    expect(pathReadings('/.'.repeat(16_000))[1]).toBe('/');
    expect(pathReadings('/%2e%2E'.repeat(5_000))[1]).toBe('/');
    expect(pathReadings('%61'.repeat(10_000).replace(/^/, '/'))[1]).toBe(`/${'a'.repeat(10_000)}`);
  });
});

/** Pieces that meet in every way: escapes whole and broken, slashes of each kind, dots. */
const hostilePath = fc
  .array(fc.constantFrom('/', '/', '\\', '.', '..', '%2e', '%2F', '%5C', '%', '%2', '%25', '%65', '%61', '2', 'e', 'a', 'F', '%41', ';', ';', '%3B', '3b', '..;'), { maxLength: 14 })
  .map((pieces) => `/${pieces.join('')}`);

/** The same in the plainest way: every escape by a regex, segments on a stack. */
function plainlyResolved(path: string): string {
  return plainlyMerged(plainlyDecoded(path));
}

function plainlyDecoded(path: string): string {
  return path.replace(/%([0-9A-Fa-f]{2})|\\/g, (escape: string, hex: string | undefined) => {
    const character = hex === undefined ? '/' : String.fromCharCode(parseInt(hex, 16));
    if (character === '\\') return '/';
    return /[A-Za-z0-9._~/-]/.test(character) ? character : escape;
  });
}

function plainlyMerged(decoded: string): string {
  const kept: string[] = [];
  const segments = decoded.split(/\/+/).slice(1);
  segments.forEach((segment, i) => {
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
    if ((segment === '.' || segment === '..') && i === segments.length - 1) kept.push('');
  });
  return `/${kept.join('/')}`;
}

/** As Tomcat and Jetty read: parameters first, as sent. */
function asServletContainer(path: string): string {
  return plainlyMerged(plainlyDecoded(path.split('/').map((segment) => segment.split(';')[0]).join('/')));
}

/** As who decodes the whole path before. */
function asDecodedFirst(path: string): string {
  const decoded = plainlyDecoded(path).replace(/%3b/gi, ';');
  return plainlyMerged(decoded.split('/').map((segment) => segment.split(';')[0]).join('/'));
}

const wellFormed = hostilePath.filter((path) => !/%(?![0-9A-Fa-f]{2})/.test(path));

describe('any path', () => {
  it('is read as those do who cut parameters off', () => {
    fc.assert(
      fc.property(wellFormed, (path) => {
        expect(pathReadings(path)).toContain(asServletContainer(path));
        expect(pathReadings(path)).toContain(asDecodedFirst(path));
        expect(barePath(path)).toBe(asDecodedFirst(path));
      }),
      { numRuns: 3000 },
    );
  });

  it('has no reading but one as sent and one resolved if it has no parameter, and few if it has', () => {
    fc.assert(
      fc.property(hostilePath, (path) => {
        const readings = pathReadings(path);
        expect(readings.length).toBeLessThanOrEqual(/;|%3b/i.test(path) ? 8 : 3);
        for (const reading of readings.slice(1)) if (!path.includes(';')) expect(reading).not.toContain(';');
      }),
      { numRuns: 1500 },
    );
  });

  it('that may read two ways is marked by the parser of requests', () => {
    const head = new RequestHead();
    fc.assert(
      fc.property(hostilePath, (path) => {
        const bytes = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
        expect(parseRequestHead(bytes, 0, bytes.length, { headerBytesMax: 0, headerCountMax: 0 }, head)).toBe(bytes.length);
        if (mayReadTwoWays(path)) expect(head.pathMayReadTwoWays).toBe(true);
      }),
      { numRuns: 1500 },
    );
  });

  it('resolves to what the plain way gives, where no percent sign is astray', () => {
    fc.assert(
      fc.property(wellFormed, (path) => {
        expect(resolvePath(path)).toBe(plainlyResolved(path));
      }),
      { numRuns: 1500 },
    );
  });

  it('has one reading once resolved and bare', () => {
    fc.assert(
      fc.property(hostilePath, (path) => {
        expect(pathReadings(barePath(path))).toEqual([barePath(path)]);
        expect(resolvePath(resolvePath(path))).toBe(resolvePath(path));
        expect(barePath(path)).not.toMatch(/\/\/|\\|;|%3b|\/\.{1,2}(\/|$)/i);
        expect(resolvePath(path)).not.toMatch(/\/\/|\\|\/\.{1,2}(\/|$)/);
      }),
      { numRuns: 1500 },
    );
  });

  it('has one reading if nothing in it may read two ways', () => {
    fc.assert(
      fc.property(hostilePath, (path) => {
        if (!mayReadTwoWays(path)) expect(resolvePath(path)).toBe(path);
        expect(new Set(pathReadings(path)).size).toBe(pathReadings(path).length);
      }),
      { numRuns: 1500 },
    );
  });
});
