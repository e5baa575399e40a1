/** Real programs in a folder of their own, the well-behaved and the others. */
import { spawn } from 'node:child_process';
import { chmodSync, closeSync, existsSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { execProbe } from '../../../src/control-plane/health/exec-probe.ts';
import type { ProbeResult } from '../../../src/control-plane/health/probe.ts';
import { Programs } from '../../../src/control-plane/health/programs.ts';
import { dialUdp } from '../../../src/net/dial-udp.ts';
import { dial } from '../../../src/net/dial.ts';
import { until } from '../../support/weir-process.ts';

let outside: string;
let plugins: string;
const opened: Programs[] = [];

beforeAll(() => {
  outside = realpathSync(mkdtempSync(join(tmpdir(), 'weir-exec-')));
  plugins = realpathSync(mkdtempSync(join(tmpdir(), 'weir-plugins-')));
});
afterAll(() => {
  for (const folder of [outside, plugins]) rmSync(folder, { recursive: true });
});
afterEach(() => {
  for (const programs of opened.splice(0)) programs.stop();
});

function open(atOnceMax = 4): Programs {
  const programs = new Programs({ clock: systemClock, folder: plugins, pluginsDir: plugins, atOnceMax });
  opened.push(programs);
  return programs;
}

function script(name: string, body: string, folder = plugins): string {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${body}\n`);
  chmodSync(file, 0o755);
  return file;
}

function probe(command: readonly string[], { programs = open(), signal = new AbortController().signal } = {}): Promise<ProbeResult> {
  return execProbe.probe({ host: '10.0.0.7', port: 5432, address: 'db.internal:5432' }, execProbe.options.parse({ command }), { signal, dial, dialUdp, clock: systemClock, programs });
}

/** The code of a process that has nothing but its `programs`. */
function processWithPrograms(body: string): string {
  const module = (name: string): string => JSON.stringify(new URL(`../../../src/${name}`, import.meta.url).href);
  return `
    const { Programs } = await import(${module('control-plane/health/programs.ts')});
    const { systemClock: clock } = await import(${module('base/clock.ts')});
    const programs = new Programs({ clock, folder: ${JSON.stringify(plugins)}, pluginsDir: ${JSON.stringify(plugins)} });
    ${body}`;
}

const isAlive = (pid: number): boolean => {
  try {
    // A zombie counts as gone: it runs nothing any more.
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

async function numberIn(file: string): Promise<number> {
  await until(() => existsSync(file) && readFileSync(file, 'utf8').endsWith('\n'));
  return Number(readFileSync(file, 'utf8'));
}

describe('how a program ends', () => {
  it.each([
    ['exit 0', 'exit 0', null],
    ['exit 0, whatever it writes', 'echo fine; echo odd >&2', null],
    ['another code', 'exit 3', 'exit 3'],
    ['the first line of its errors, before that of its output', 'echo out; printf "\\n  no quorum \\nmore\\n" >&2; exit 1', 'exit 1: no quorum'],
    ['the first line of its output', 'echo "lag 12 s"; exit 1', 'exit 1: lag 12 s'],
    ['a line that is not fit to be shown', 'printf "a\\033[31mb\\007c\\n" >&2; exit 1', 'exit 1: a [31mb c'],
    ['a signal', 'kill -SEGV $$', 'ended by SIGSEGV'],
    ['more output than anyone reads', 'while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done', 'the program wrote more than 64 KiB'],
  ])('%s', async (_what, body, reason) => {
    const result = await probe([script('check.sh', body)]);
    expect(result).toMatchObject(reason === null ? { ok: true } : { ok: false, reason });
  });

  it('with less output than that it does not wait for a reader', async () => {
    expect((await probe([script('talks.sh', 'head -c 60000 /dev/zero')])).ok).toBe(true);
  });
});

describe('what a program gets', () => {
  it('is its arguments as they are: no shell reads them', async () => {
    const file = join(outside, 'arguments');
    await probe([script('arguments.sh', `printf '%s\\n' "$@" > ${file}`), '$(touch evil)', '; exit 1', "it's", '*']);
    expect(readFileSync(file, 'utf8')).toBe("$(touch evil)\n; exit 1\nit's\n*\n");
    expect(existsSync(join(plugins, 'evil'))).toBe(false);
  });

  it('is a small environment, and none of ours', async () => {
    process.env['WEIR_TEST_SECRET'] = 'open sesame';
    const file = join(outside, 'environment');
    await probe([script('environment.sh', `tr '\\0' '\\n' < /proc/$$/environ > ${file}`)]);
    delete process.env['WEIR_TEST_SECRET'];
    expect(readFileSync(file, 'utf8').trim().split('\n').sort()).toEqual([
      'LANG=C.UTF-8', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'WEIR_ADDRESS=db.internal:5432', 'WEIR_HOST=10.0.0.7', 'WEIR_PORT=5432',
    ]);
  });

  it('is the folder of --plugins to work in, and nothing to read', async () => {
    const file = join(outside, 'place');
    await probe([script('place.sh', `pwd > ${file}; readlink /proc/self/fd/0 >> ${file}`)]);
    expect(readFileSync(file, 'utf8').trim().split('\n')).toEqual([plugins, '/dev/null']);
  });

  it('is none of the descriptors that this process was started with', async () => {
    const seen = join(outside, 'descriptors');
    const secret = join(outside, 'secret');
    writeFileSync(secret, 'open sesame');
    script('descriptors.sh', `exec ls -l /proc/self/fd > ${seen}`);
    const code = processWithPrograms("await programs.run({ command: ['descriptors.sh'], environment: {}, signal: new AbortController().signal }); process.exit();");
    const descriptor = openSync(secret, 'r');
    const stdio: ('ignore' | number)[] = [...Array.from({ length: 40 }, () => 'ignore' as const), descriptor];
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio });
    await new Promise((resolve) => child.once('exit', resolve));
    closeSync(descriptor);
    const lines = readFileSync(seen, 'utf8').trim().split('\n').filter((line) => line.includes('->'));
    expect(lines.length).toBeGreaterThan(4);
    expect(lines.filter((line) => line.includes(secret))).toEqual([]);
    // What was inherited, of this test's own too, is there, and is nothing.
    expect(lines.filter((line) => / (?:[3-9]|\d\d+) -> /.test(line) && !/ -> (?:\/dev\/null|\/proc\/\d+\/fd)$/.test(line))).toEqual([]);
  });
});

describe('which programs run', () => {
  it('is one below the folder, by whatever path', async () => {
    script('here.sh', 'exit 0');
    expect((await probe(['./here.sh'])).ok).toBe(true);
    expect((await probe(['here.sh'])).ok).toBe(true);
    symlinkSync(join(plugins, 'here.sh'), join(plugins, 'link-within'));
    expect((await probe(['./link-within'])).ok).toBe(true);
  });

  it.each([
    ['outside', () => script('there.sh', 'exit 0', outside), 'the program could not be run: it lies outside the folder of --plugins'],
    ['of the system', () => '/bin/true', 'the program could not be run: it lies outside the folder of --plugins'],
    ['above', () => '../there.sh', 'the program could not be run: there is no such file'],
    ['a symbolic link that leads outside', () => (symlinkSync('/bin/true', join(plugins, 'link-out')), './link-out'), 'the program could not be run: it lies outside the folder of --plugins'],
    ['the folder itself', () => '.', 'the program could not be run: it lies outside the folder of --plugins'],
    ['not there', () => './nothing', 'the program could not be run: there is no such file'],
    ['not executable', () => (writeFileSync(join(plugins, 'text'), 'words'), './text'), 'the program could not be run: it is not executable'],
  ])('is none that is %s', async (_what, path, reason) => {
    expect(await probe([path()])).toEqual({ ok: false, reason });
  });

  it('is none where no folder was given', async () => {
    const context = { signal: new AbortController().signal, dial, dialUdp, clock: systemClock };
    expect(await execProbe.probe({ host: '127.0.0.1', port: 1, address: 'x' }, { command: ['./here.sh'] }, context)).toEqual({ ok: false, reason: 'no program may be run here' });
  });
});

describe('the end of its time', () => {
  it('kills it and all that it started', async () => {
    const file = join(outside, 'grandchild');
    const controller = new AbortController();
    const result = probe([script('forks.sh', `(trap '' TERM HUP INT; sleep 1000 & echo $! > ${file}; wait) &\nsleep 1000`)], { signal: controller.signal });
    const pid = await numberIn(file);
    expect(isAlive(pid)).toBe(true);
    controller.abort();
    expect(await result).toEqual({ ok: false, reason: 'gave up' });
    await until(() => !isAlive(pid));
  });

  it('kills what a program left behind that ended by itself', async () => {
    const file = join(outside, 'left-behind');
    expect((await probe([script('leaves.sh', `sleep 1000 & echo $! > ${file}; exit 0`)])).ok).toBe(true);
    const pid = await numberIn(file);
    await until(() => !isAlive(pid));
  });

  it('does not wait for a process that left the group and holds the output', async () => {
    const file = join(outside, 'escaped');
    expect(await probe([script('escapes.sh', `setsid sleep 1000 & echo $! > ${file}; sleep 0.1; exit 4`)])).toEqual({ ok: false, reason: 'exit 4' });
    process.kill(await numberIn(file), 'SIGKILL');
  });

  it('is also when this process exits, whoever makes it', async () => {
    const file = join(outside, 'orphan');
    script('orphan.sh', `echo $$ > ${file}; sleep 1000`);
    const code = processWithPrograms(`
      void programs.run({ command: ['orphan.sh'], environment: {}, signal: new AbortController().signal });
      process.stdin.once('data', () => process.exit());`);
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['pipe', 'ignore', 'ignore'] });
    const pid = await numberIn(file);
    expect(isAlive(pid)).toBe(true);
    child.stdin.write('exit');
    await until(() => !isAlive(pid));
  });

  it('is also when the proxy ends', async () => {
    const programs = open();
    const file = join(outside, 'ours');
    const result = probe([script('stays.sh', `echo $$ > ${file}; sleep 1000`)], { programs });
    const pid = await numberIn(file);
    programs.stop();
    expect((await result).ok).toBe(false);
    await until(() => !isAlive(pid));
    expect(await probe(['./here.sh'], { programs })).toMatchObject({ ok: false, ours: true });
  });
});

describe('so many at once', () => {
  it('others wait for a place, and start in order', async () => {
    const programs = open(1);
    const file = join(outside, 'order');
    const path = script('order.sh', `echo "$1 begins" >> ${file}; sleep 0.05; echo "$1 ends" >> ${file}`);
    const results = await Promise.all(['a', 'b', 'c'].map((name) => probe([path, name], { programs })));
    expect(results.map(({ ok }) => ok)).toEqual([true, true, true]);
    expect(readFileSync(file, 'utf8')).toBe('a begins\na ends\nb begins\nb ends\nc begins\nc ends\n');
  });

  it('one that waits past its time is void, and leaves its place in the queue', async () => {
    const programs = open(1);
    const [first, second] = [new AbortController(), new AbortController()];
    const file = join(outside, 'first');
    const blocking = probe([script('blocks.sh', `echo $$ > ${file}; sleep 1000`)], { programs, signal: first.signal });
    await numberIn(file);
    const waiting = probe(['./here.sh'], { programs, signal: second.signal });
    const last = probe(['./here.sh'], { programs });
    second.abort();
    expect(await waiting).toEqual({ ok: false, reason: 'too many programs ran already', ours: true });
    first.abort();
    await blocking;
    expect((await last).ok).toBe(true);
  });

  it('one that was given up on keeps its place until it is gone', async () => {
    const programs = open(2);
    const gone = new AbortController();
    gone.abort();
    for (let i = 0; i < 10; i++) expect((await probe(['./here.sh'], { programs, signal: gone.signal })).ok).toBe(false);
    for (let i = 0; i < 4; i++) await probe(['./nothing'], { programs });
    const results = await Promise.all(Array.from({ length: 6 }, () => probe(['./here.sh'], { programs })));
    expect(results.every(({ ok }) => ok)).toBe(true);
  });
});

it.each([{ command: [1] }, { command: 'check.sh' }, { command: ['a\0b'] }, { command: Array.from({ length: 65 }, () => 'x') }, { comand: ['x'] }])('options %j are refused', (options) => {
  expect(execProbe.options.safeParse(options).success).toBe(false);
});
