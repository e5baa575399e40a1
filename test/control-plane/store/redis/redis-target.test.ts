import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isRedisUrl, parseRedisUrl } from '../../../../src/control-plane/store/redis/redis-target.ts';

describe('the URL of a store', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'weir-url-'));
    writeFileSync(join(folder, 'a b.pem'), 'CERTIFICATE');
    writeFileSync(join(folder, 'word'), 'sentinel-word\n');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ['redis://h', { kind: 'single', endpoints: [{ host: 'h', port: 6379 }], username: null, password: null, database: 0, tls: null }],
    ['redis://10.0.0.1:7000/3', { endpoints: [{ host: '10.0.0.1', port: 7000 }], database: 3 }],
    ['redis://[::1]:7000', { endpoints: [{ host: '::1', port: 7000 }] }],
    ['redis://:p%40ss@h', { username: null, password: 'p@ss' }],
    ['redis://user:p@ss:w%2Frd%@h', { username: 'user', password: 'p@ss:w%2Frd%' }],
    ['redis://user:p%2Fq@h', { username: 'user', password: 'p/q' }],
    ['redis://user@h', { username: 'user', password: null }],
    ['rediss://h', { kind: 'single', tls: {} }],
    ['redis://h?tls=true', { tls: {} }],
    ['sentinel://a,b:7,[::1]/the-master', { kind: 'sentinel', endpoints: [{ host: 'a', port: 26379 }, { host: 'b', port: 7 }, { host: '::1', port: 26379 }], master: 'the-master' }],
    ['cluster://u:p@a,b:7', { kind: 'cluster', endpoints: [{ host: 'a', port: 6379 }, { host: 'b', port: 7 }], username: 'u', password: 'p', database: 0 }],
    ['cluster://a/', { kind: 'cluster' }],
  ])('%s', (url, expected) => {
    expect(isRedisUrl(url)).toBe(true);
    expect(parseRedisUrl(url)).toMatchObject(expected);
  });

  it('names files of certificates and of a password', () => {
    const ca = encodeURIComponent(join(folder, 'a b.pem'));
    const word = encodeURIComponent(join(folder, 'word'));
    expect(parseRedisUrl(`sentinel://h/m?ca=${ca}&sentinelUser=s&sentinelPasswordFile=${word}`)).toMatchObject({ tls: { ca: 'CERTIFICATE' }, sentinelUsername: 's', sentinelPassword: 'sentinel-word' });
  });

  it.each([
    ['none', 'the store is not given as redis://'],
    ['http://h', 'the store is not given as redis://'],
    ['redis://', 'the store is not given as redis://'],
    ['redis://u:secret@h:99999', `the store's host "h:99999" is not HOST or HOST:PORT`],
    ['redis://u:secret@h:0', 'is not HOST or HOST:PORT'],
    ['redis://u:secret@h,', 'is not HOST or HOST:PORT'],
    ['redis://u:secret@h/x', 'the database of the store is not a number'],
    ['cluster://u:secret@h/3', 'the store names a database, which a cluster does not have'],
    ['sentinel://u:secret@h', 'the store does not name the master'],
    ['redis://u:secret@h?caa=x', 'the store has the parameter "caa"; known are ca, tls'],
    ['redis://u:secret@h?tls=maybe', 'the store has `tls` with another value than true'],
    ['redis://u:secret@h?ca=/no/such/file', "the file of the store's parameter `ca` cannot be read: ENOENT"],
  ])('%s is refused, and no password told', (url, message) => {
    let told = '';
    try {
      parseRedisUrl(url);
    } catch (error) {
      told = (error as Error).message;
    }
    expect(told).toContain(message);
    expect(told).not.toContain('secret');
  });

  it('is not one of Redis when it is none', () => {
    expect(isRedisUrl('none')).toBe(false);
    expect(isRedisUrl('etcd://h')).toBe(false);
  });
});
