import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProcessLog, type LogOptions } from '../../src/observe/log.ts';

let folder: string;
let fd: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-log-'));
  fd = openSync(join(folder, 'log'), 'a');
});
afterEach(() => {
  closeSync(fd);
  rmSync(folder, { recursive: true });
});

const AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
function open(options: Partial<LogOptions> = {}): ProcessLog {
  return new ProcessLog({ level: 'info', format: 'json', fd, colour: false, wallMs: () => AT_MS, ...options });
}
function written(log: ProcessLog): string {
  log.flush();
  return readFileSync(join(folder, 'log'), 'utf8');
}

describe('json', () => {
  it('is one object a line: level, time, fields, text', () => {
    const log = open();
    log.info('config loaded', { version: 3 });
    expect(written(log)).toBe('{"level":"info","time":"2026-01-02T03:04:05.006Z","version":3,"text":"config loaded"}\n');
  });

  it('keeps its own keys whatever fields are called', () => {
    const log = open();
    log.warn('true text', { text: 'forged', level: 'forged', time: 'forged' });
    const line = JSON.parse(written(log)) as Record<string, unknown>;
    expect(line).toMatchObject({ level: 'warn', text: 'true text', time: '2026-01-02T03:04:05.006Z', text_: 'forged' });
  });

  it('writes an error with its stack', () => {
    const log = open();
    log.error('failed', { err: new Error('the cause') });
    expect(JSON.parse(written(log))).toMatchObject({ err: { message: 'the cause', stack: expect.stringContaining('log.test.ts') } });
  });
});

describe.each(['json', 'text'] as const)('as %s', (format) => {
  it('shows no secret', () => {
    const log = open({ format });
    const hidden = { token: 'hunter2', readToken: 'hunter2', authorization: 'hunter2', password: 'hunter2' };
    log.info('config', { ...hidden, admin: hidden, config: { admin: hidden } });
    expect(written(log)).not.toContain('hunter2');
  });

  it('is one line, without control characters, whatever others sent', () => {
    const log = open({ format });
    log.info('bad\nline \x1b[2J', { reason: 'x\ny\r\x1b[31m\u009b31m\u2028' });
    // eslint-disable-next-line no-control-regex -- control characters are what must not be there
    expect(written(log)).toMatch(format === 'text' ? /^[^\x00-\x1f\x7f-\x9f\u2028]*\n$/ : /^[^\x00-\x1f]*\n$/);
  });
});

describe('configure', () => {
  it('changes level and format with the next line', () => {
    const log = open();
    log.debug('not yet');
    log.configure({ level: 'debug', format: 'text' });
    log.debug('now', { a: 1 });
    expect(written(log)).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] DEBUG: now \{"a":1\}\n$/);
  });
});

describe('a pipe nobody reads', () => {
  it('stops nothing: what it does not take is dropped beyond a mebibyte', async () => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    // Opened for both, so that no open waits for the other side.
    const pipe = await openFile(path, 'r+');
    const log = open({ fd: pipe.fd });
    for (let i = 0; i < 5000; i++) log.info('x'.repeat(1000), { i });
    const { bytesRead, buffer } = await pipe.read(Buffer.alloc(65_536), 0, 65_536, null);
    expect(buffer.toString('utf8', 0, bytesRead)).toMatch(/^\{"level":"info"/);
    // Whatever is still under way ends when it is read; the thread was never held.
    let rest = bytesRead;
    while (rest < 1_000_000) rest += (await pipe.read(Buffer.alloc(65_536), 0, 65_536, null)).bytesRead;
    await pipe.close();
  });
});
