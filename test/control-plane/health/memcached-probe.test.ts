import fc from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memcachedProbe, memcachedScript } from '../../../src/control-plane/health/memcached-probe.ts';
import { outcomeOf } from '../../support/probe-once.ts';
import { hasProgram, RealServer } from '../../support/real-server.ts';
import { runOverSplits } from '../../support/script-runs.ts';

const plain = { user: '', password: '' };
const login = { user: 'weir', password: 's3cret' };

describe('an answer, in any pieces', () => {
  it.each([
    { options: plain, answer: 'VERSION 1.6.18\r\n', end: 'passed' },
    { options: plain, answer: 'VERSION 1.6.18', end: 'waits' },
    { options: plain, answer: 'ERROR Too many open connections\r\n', end: 'answered ERROR Too many open connections' },
    { options: plain, answer: 'SERVER_ERROR out of memory\r\n', end: 'answered SERVER_ERROR out of memory' },
    { options: plain, answer: 'CLIENT_ERROR unauthenticated\r\n', end: 'asks for a login' },
    { options: plain, answer: 'ERRORS\r\n', end: 'malformed answer: no version' },
    { options: plain, answer: '+PONG\r\n', end: 'malformed answer: no version' },
    { options: plain, answer: 'x'.repeat(2000), end: 'malformed answer: a line has no end' },
    { options: login, answer: 'STORED\r\nVERSION 1\r\n', end: 'passed' },
    { options: login, answer: 'CLIENT_ERROR authentication failure\r\n', end: 'user or password is wrong' },
    { options: login, answer: 'ERROR weir s3cret\r\n', end: 'refused the login' },
  ])('$answer: $end', ({ options, answer, end }) => {
    expect(runOverSplits(() => memcachedScript(options), Buffer.from(answer)).end).toBe(end);
  });

  it('comes to the same for anything at all', () => {
    const words = fc.constantFrom('VERSION ', 'STORED', 'ERROR', '\r\n', '\n', 'CLIENT_ERROR ');
    fc.assert(fc.property(fc.array(fc.oneof(words, fc.string({ maxLength: 5 })), { maxLength: 8 }), fc.constantFrom(plain, login), (parts, options) => void runOverSplits(() => memcachedScript(options), Buffer.from(parts.join('')))));
  });

  it.each([{ user: 'a' }, { password: 'b' }, { user: 'a b', password: 'c' }, { user: 'a', password: 'b\r\nflush_all' }])('nothing but the login is sent: %j is refused', (options) => {
    expect(memcachedProbe.options.safeParse(options).success).toBe(false);
  });
});

describe.skipIf(!hasProgram('memcached'))('a real server (Debian package memcached)', () => {
  let folder: string;
  let open: RealServer;
  let closed: RealServer;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'weir-memcached-'));
    writeFileSync(join(folder, 'users'), 'weir:s3cret\n');
    const args = (port: number): string[] => ['-u', 'nobody', '-l', '127.0.0.1', '-p', String(port), '-U', '0', '-m', '8', '-t', '1'];
    [open, closed] = await Promise.all([RealServer.start('memcached', args), RealServer.start('memcached', (port) => [...args(port), '-u', 'root', '-Y', join(folder, 'users')])]);
  });
  afterAll(async () => {
    await Promise.all([open.stop(), closed.stop()]);
    rmSync(folder, { recursive: true });
  });

  it('passes', async () => {
    expect(await outcomeOf(memcachedProbe, open.port)).toBe('passed');
  });

  it('that wants a login passes with it, and says so without', async () => {
    expect(await outcomeOf(memcachedProbe, closed.port, login)).toBe('passed');
    expect(await outcomeOf(memcachedProbe, closed.port)).toBe('asks for a login');
    expect(await outcomeOf(memcachedProbe, closed.port, { user: 'weir', password: 'wrong' })).toBe('user or password is wrong');
  });
});
