import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccessLogEntry } from '../../src/observe/access-format.ts';
import { AccessLog, openAccessLog } from '../../src/observe/access-log.ts';
import { LINE_BUFFER_BYTES } from '../../src/observe/line-writer.ts';

const plain: AccessLogEntry = {
  time: Date.UTC(2026, 1, 3, 4, 5, 6, 78),
  listener: 'web',
  route: 'api',
  pool: 'web',
  backend: '10.0.0.11:8080',
  client: '192.0.2.7',
  method: 'GET',
  target: '/v1/a?b=c',
  httpVersion: 11,
  host: 'a.example.com',
  status: 200,
  bytesIn: 0,
  bytesOut: 5321,
  durationMs: 12.3456,
  backendMs: 10.0004,
  attempts: 1,
  error: '',
  requestId: 'abc-1',
  referer: '',
  userAgent: 'curl/8.0',
};

let folder: string;
let files = 0;
const nextPath = (): string => join(folder, `log-${++files}`);
const silent = (): void => {};

beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'weir-access-'))));
afterAll(() => rmSync(folder, { recursive: true }));

async function written(format: 'json' | 'common' | 'combined', entries: readonly AccessLogEntry[]): Promise<string> {
  const path = nextPath();
  const log = new AccessLog(format, { path }, silent);
  for (const entry of entries) log.record(entry);
  await log.close();
  return readFileSync(path, 'latin1');
}

/** Any string a head can hold, and worse: every byte there is. */
const anyBytes = fc.oneof(fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 300 }), fc.string({ maxLength: 40 }).map((text) => Buffer.from(text).toString('latin1')));
const anyEntry: fc.Arbitrary<AccessLogEntry> = fc.record({
  time: fc.integer({ min: 0, max: 4e12 }),
  listener: fc.stringMatching(/^[A-Za-z0-9._-]{1,63}$/),
  route: fc.string({ maxLength: 60 }),
  pool: fc.oneof(fc.constant(''), fc.stringMatching(/^[A-Za-z0-9._-]{1,63}$/)),
  backend: fc.oneof(fc.constant(''), fc.constant('[::1]:80'), fc.constant('10.0.0.1:8080')),
  client: fc.oneof(fc.ipV4(), fc.ipV6()),
  method: fc.oneof(fc.constantFrom('GET', 'POST'), anyBytes),
  target: anyBytes,
  httpVersion: fc.constantFrom(10, 11),
  host: anyBytes,
  status: fc.integer({ min: 0, max: 599 }),
  bytesIn: fc.oneof(fc.nat(), fc.integer({ min: 0, max: 2 ** 52 })),
  bytesOut: fc.oneof(fc.nat(2000), fc.integer({ min: 0, max: 2 ** 52 })),
  durationMs: fc.double({ min: 0, max: 1e7, noNaN: true }),
  backendMs: fc.oneof(fc.constant(-1), fc.double({ min: 0, max: 1e7, noNaN: true })),
  attempts: fc.nat(3),
  error: fc.constantFrom('', 'connect-refused', 'client-aborted'),
  requestId: anyBytes,
  referer: anyBytes,
  userAgent: anyBytes,
});

describe('the json format', () => {
  it('gives every byte back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyEntry, { minLength: 1, maxLength: 8 }), async (entries) => {
        const lines = (await written('json', entries)).split('\n');
        expect(lines.pop()).toBe('');
        expect(lines).toHaveLength(entries.length);
        for (const [i, line] of lines.entries()) {
          const entry = entries[i]!;
          const none = (text: string): string | null => (text === '' ? null : text);
          expect(JSON.parse(line)).toEqual({
            ...entry,
            time: new Date(entry.time).toISOString(),
            httpVersion: entry.httpVersion === 10 ? '1.0' : '1.1',
            route: none(entry.route),
            pool: none(entry.pool),
            backend: none(entry.backend),
            error: none(entry.error),
            referer: none(entry.referer),
            userAgent: none(entry.userAgent),
            durationMs: Math.round(entry.durationMs * 1000) / 1000,
            backendMs: entry.backendMs < 0 ? null : Math.round(entry.backendMs * 1000) / 1000,
          });
        }
      }),
      { numRuns: 200 },
    );
  });

  it('is one object a line, in this order', async () => {
    expect(await written('json', [plain])).toBe(
      '{"time":"2026-02-03T04:05:06.078Z","listener":"web","route":"api","pool":"web","backend":"10.0.0.11:8080","client":"192.0.2.7","method":"GET","target":"/v1/a?b=c","httpVersion":"1.1","host":"a.example.com","status":200,"bytesIn":0,"bytesOut":5321,"durationMs":12.346,"backendMs":10.000,"attempts":1,"error":null,"requestId":"abc-1","referer":null,"userAgent":"curl/8.0"}\n',
    );
  });
});

describe('docs/access-log.md', () => {
  it('has exactly the keys of a json line, in their order', async () => {
    const doc = readFileSync(new URL('../../docs/access-log.md', import.meta.url), 'utf8');
    const keys = [...doc.matchAll(/^\| `(\w+)` \|/gm)].map(([, key]) => key);
    expect(keys).toEqual(Object.keys(JSON.parse(await written('json', [plain])) as object));
  });
});

describe.each(['common', 'combined'] as const)('the %s format', (format) => {
  it('has no control byte, and as many quotes as it has itself', async () => {
    await fc.assert(
      fc.asyncProperty(anyEntry, async (entry) => {
        const text = await written(format, [entry]);
        expect(text).toMatch(/^[\x20-\x7e]*\n$/);
        expect(text.match(/"/g)).toHaveLength(format === 'common' ? 2 : 6);
      }),
      { numRuns: 200 },
    );
  });

  it('is what nginx writes, in UTC', async () => {
    const line = '192.0.2.7 - - [03/Feb/2026:04:05:06 +0000] "GET /v1/a?b=c HTTP/1.1" 200 5321';
    expect(await written(format, [plain])).toBe(format === 'common' ? `${line}\n` : `${line} "-" "curl/8.0"\n`);
  });

  it('escapes as nginx does', async () => {
    expect(await written(format, [{ ...plain, target: '/a"b\\\n\x7f\xe9' }])).toContain('"GET /a\\x22b\\x5C\\x0A\\x7F\\xE9 HTTP/1.1"');
  });
});

describe('writing', () => {
  it('is off when the config says so', () => {
    expect(openAccessLog({ format: 'off', to: 'stdout' }, silent)).toBeNull();
  });

  it('throws for a file that cannot be opened', () => {
    expect(() => openAccessLog({ format: 'json', to: join(folder, 'absent', 'log') }, silent)).toThrow('ENOENT');
  });

  it('keeps what a file held', async () => {
    const path = nextPath();
    writeFileSync(path, 'before\n');
    const log = new AccessLog('common', { path }, silent);
    log.record(plain);
    await log.close();
    expect(readFileSync(path, 'utf8')).toMatch(/^before\n192\.0\.2\.7 .*\n$/);
  });

  it('reopens: what was recorded before stays in the renamed file', async () => {
    const path = nextPath();
    const log = new AccessLog('json', { path }, silent);
    log.record({ ...plain, target: '/before' });
    renameSync(path, `${path}.1`);
    log.reopen();
    log.record({ ...plain, target: '/after' });
    await log.close();
    expect(readFileSync(`${path}.1`, 'utf8')).toMatch(/"\/before".*\n$/);
    expect(readFileSync(path, 'utf8')).toMatch(/^[^\n]*"\/after"[^\n]*\n$/);
  });

  it('writes on to the former file if the path cannot be opened again', async () => {
    const path = nextPath();
    const reports: string[] = [];
    const log = new AccessLog('json', { path: join(folder, 'sub', `x${files}`).replace(/\/sub\//, '/') }, (text) => void reports.push(text));
    log.record(plain);
    // A folder in its place: it cannot be opened for writing.
    const own = join(folder, `x${files}`);
    renameSync(own, path);
    execFileSync('mkdir', [own]);
    log.reopen();
    log.record(plain);
    await log.close();
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(3);
    expect(reports).toEqual([expect.stringContaining('reopened')]);
  });

  it('fits a line of any length into the buffer, by cutting its texts', async () => {
    const long = '\x01'.repeat(60_000);
    const [line, rest] = (await written('json', [{ ...plain, target: long, referer: long, userAgent: long }])).split('\n');
    expect(rest).toBe('');
    expect(line!.length).toBeLessThan(LINE_BUFFER_BYTES);
    const { target } = JSON.parse(line!) as { target: string };
    expect(target).toBe('\x01'.repeat(target.length));
    expect(target.length).toBeGreaterThan(1000);
  });
});

describe('two threads writing one file', () => {
  it('tear no line', async () => {
    const path = nextPath();
    const source = `
      import { AccessLog } from ${JSON.stringify(new URL('../../src/observe/access-log.ts', import.meta.url).href)};
      import { workerData } from 'node:worker_threads';
      const log = new AccessLog('json', { path: workerData.path }, () => {}, 64 * 1024 * 1024);
      for (let i = 0; i < 5000; i++) log.record({ ...workerData.entry, target: '/' + workerData.name + '/' + i, userAgent: 'x'.repeat(i % 400) });
      await log.close();
      if (log.dropped > 0) throw new Error('dropped');
    `;
    const ended = ['a', 'b'].map((name) => {
      const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { workerData: { path, entry: plain, name } });
      return new Promise((resolve, reject) => worker.on('error', reject).on('exit', resolve));
    });
    await Promise.all(ended);
    const targets = readFileSync(path, 'utf8').trimEnd().split('\n').map((line) => (JSON.parse(line) as { target: string }).target);
    for (const name of ['a', 'b']) {
      expect(targets.filter((target) => target.startsWith(`/${name}/`))).toEqual(Array.from({ length: 5000 }, (_, i) => `/${name}/${i}`));
    }
  });
});

/** A pipe nobody reads until told to: a disk that stalls. */
async function stalledPipe(): Promise<{ path: string; reader: FileHandle }> {
  const path = nextPath();
  execFileSync('mkfifo', [path]);
  // Opened for both, so that no open waits for the other side.
  return { path, reader: await open(path, 'r+') };
}

describe('a stalled file', () => {
  it('holds a bounded amount, drops and counts the rest, and says so once it is asked', async () => {
    const { path, reader } = await stalledPipe();
    const reports: { text: string; fields: Readonly<Record<string, unknown>> }[] = [];
    const held = 4 * LINE_BUFFER_BYTES;
    const log = new AccessLog('json', { path }, (text, fields) => void reports.push({ text, fields }), held);
    let recorded = 0;
    while (log.dropped === 0) {
      log.record({ ...plain, target: `/${recorded++}` });
      if (recorded > 20_000) throw new Error('nothing was dropped');
    }
    log.tick(5000);
    expect(reports).toEqual([{ text: 'access log lines were dropped', fields: { dropped: 1, reason: expect.any(String) } }]);

    // Read on: all that was held arrives, whole and in order.
    const closed = log.close();
    const chunks: Buffer[] = [];
    let lines = 0;
    while (lines < recorded - 1) {
      const { buffer, bytesRead } = await reader.read(Buffer.alloc(65_536), 0, 65_536, null);
      chunks.push(buffer.subarray(0, bytesRead));
      for (let i = 0; i < bytesRead; i++) if (buffer[i] === 10) lines += 1;
    }
    await closed;
    await reader.close();
    const text = Buffer.concat(chunks).toString('latin1').trimEnd().split('\n');
    expect(text.map((line) => (JSON.parse(line) as { target: string }).target)).toEqual(Array.from({ length: recorded - 1 }, (_, i) => `/${i}`));
    expect(text.join('\n').length).toBeLessThan(held);
  });

  it('does not take a buffer a second while it waits', async () => {
    const { path, reader } = await stalledPipe();
    const log = new AccessLog('json', { path }, silent, 4 * LINE_BUFFER_BYTES);
    // More than a pipe holds, so that a write stays under way.
    for (let i = 0; i < 300; i++) log.record({ ...plain, userAgent: 'x'.repeat(800) });
    for (let second = 1; second <= 60; second++) {
      log.record(plain);
      log.tick(second * 1000);
    }
    expect(log.dropped).toBe(0);
    const closed = log.close();
    let lines = 0;
    while (lines < 360) {
      const { buffer, bytesRead } = await reader.read(Buffer.alloc(65_536), 0, 65_536, null);
      for (let i = 0; i < bytesRead; i++) if (buffer[i] === 10) lines += 1;
    }
    await closed;
    await reader.close();
  });
});

describe('a pipe', () => {
  it('gets lines of at most 4096 bytes, so that no two writers mix', async () => {
    const { path, reader } = await stalledPipe();
    const log = new AccessLog('json', { path }, silent);
    const long = 'é"'.repeat(5000);
    log.record({ ...plain, target: long, referer: long, userAgent: long, host: long, requestId: long, method: long });
    const closed = log.close();
    const { bytesRead, buffer } = await reader.read(Buffer.alloc(65_536), 0, 65_536, null);
    await closed;
    await reader.close();
    expect(bytesRead).toBeLessThanOrEqual(4096);
    expect((JSON.parse(buffer.toString('latin1', 0, bytesRead)) as { target: string }).target).toBe(long.slice(0, 80));
  });
});
