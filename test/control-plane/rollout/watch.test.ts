/** Every way a file is changed in practice counts once, and only when it is whole. Real files, real events. */
import { mkdir, mkdtemp, readFile, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { openSync, closeSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock, type Clock } from '../../../src/base/clock.ts';
import { FileWatch } from '../../../src/control-plane/rollout/watch.ts';

let folder = '';
let watch: FileWatch;
/** What the file held at each change that was told. */
let told: string[] = [];
let wake = (): void => undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-watch-'));
  told = [];
});
afterEach(async () => {
  watch.close();
  await rm(folder, { recursive: true });
});

async function follow(file: string, also: readonly string[] = [], clock: Clock = systemClock): Promise<void> {
  watch = new FileWatch(clock, () => {
    void readFile(file, 'utf8').then((text) => {
      told.push(text);
      wake();
    });
  });
  await watch.follow([file, ...also]);
}

async function changes(count: number): Promise<void> {
  while (told.length < count) await new Promise<void>((resolve) => (wake = resolve));
}

/** A clock's `after` whose time passes only when told. */
class HeldTimers {
  readonly pending = new Set<() => void>();
  #begun = 0;
  #wake = (): void => undefined;

  readonly after = (_delayMs: number, run: () => void): { cancel: () => void } => {
    this.pending.add(run);
    this.#begun += 1;
    this.#wake();
    return { cancel: () => void this.pending.delete(run) };
  };

  async begun(count: number): Promise<void> {
    while (this.#begun < count) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  elapse(): void {
    for (const run of this.pending) {
      this.pending.delete(run);
      run();
    }
  }
}

/** A second change, told after the first: had the first been told twice, it would stand in between. */
async function expectOnly(file: string, text: string): Promise<void> {
  await changes(1);
  await writeFile(file, 'after');
  while (told.at(-1) !== 'after') await changes(told.length + 1);
  expect(told).toEqual([text, 'after']);
}

test('written in place', async () => {
  const file = join(folder, 'weir.yaml');
  await writeFile(file, 'before');
  await follow(file);
  await writeFile(file, 'changed');
  await expectOnly(file, 'changed');
});

test('replaced by renaming another over it', async () => {
  const file = join(folder, 'weir.yaml');
  await writeFile(file, 'before');
  await follow(file);
  await writeFile(join(folder, '.weir.yaml.swp'), 'renamed');
  await rename(join(folder, '.weir.yaml.swp'), file);
  await expectOnly(file, 'renamed');
});

test('removed and written anew', async () => {
  const file = join(folder, 'weir.yaml');
  await writeFile(file, 'before');
  await follow(file);
  await unlink(file);
  await writeFile(file, 'anew');
  await expectOnly(file, 'anew');
});

test('written in pieces: each begins the quiet time anew, and it counts once, whole', async () => {
  const file = join(folder, 'weir.yaml');
  await writeFile(file, 'before');
  const quiet = new HeldTimers();
  await follow(file, [], { ...systemClock, after: quiet.after });
  const open = openSync(file, 'w');
  for (let piece = 0; piece < 12; piece++) {
    writeSync(open, `${piece} `);
    await quiet.begun(piece + 1);
    expect(quiet.pending.size).toBe(1);
  }
  closeSync(open);
  quiet.elapse();
  await changes(1);
  expect(told).toEqual(['0 1 2 3 4 5 6 7 8 9 10 11 ']);
  expect(quiet.pending.size).toBe(0);
});

test('a link two levels up is turned, as Kubernetes does', async () => {
  const file = join(folder, 'weir.yaml');
  for (const [version, text] of [['..1', 'before'], ['..2', 'turned']] as const) {
    await mkdir(join(folder, version));
    await writeFile(join(folder, version, 'weir.yaml'), text);
  }
  await symlink('..1', join(folder, '..data'));
  await symlink('..data/weir.yaml', file);
  await follow(file);
  await symlink('..2', join(folder, '..data_tmp'));
  await rename(join(folder, '..data_tmp'), join(folder, '..data'));
  await changes(1);
  expect(told).toEqual(['turned']);
});

test('the target of a link elsewhere is written', async () => {
  await mkdir(join(folder, 'elsewhere'));
  const target = join(folder, 'elsewhere', 'real.yaml');
  await writeFile(target, 'before');
  await symlink(target, join(folder, 'weir.yaml'));
  await follow(join(folder, 'weir.yaml'));
  await writeFile(target, 'changed');
  await expectOnly(target, 'changed');
});

test('a secret file beside it counts too, and one followed later', async () => {
  const file = join(folder, 'weir.yaml');
  await writeFile(file, 'config');
  await writeFile(join(folder, 'token'), 'one');
  await follow(file, [join(folder, 'token')]);
  await writeFile(join(folder, 'token'), 'another');
  await changes(1);
  await writeFile(join(folder, 'late'), 'one');
  await watch.follow([file, join(folder, 'late')]);
  await writeFile(join(folder, 'late'), 'another');
  await changes(2);
  expect(told).toEqual(['config', 'config']);
});

test('what changed while the caller was busy is found when it follows again', async () => {
  const file = join(folder, 'weir.yaml');
  await writeFile(file, 'before');
  // A clock without a look round: only `follow` itself can find it.
  await follow(file, [], { ...systemClock, every: () => ({ cancel: () => undefined }) });
  await writeFile(file, 'meanwhile');
  await watch.follow([file]);
  await changes(1);
  expect(told).toEqual(['meanwhile']);
});

test('a folder that is replaced whole, so that its events are gone', async () => {
  const inner = join(folder, 'etc');
  await mkdir(inner);
  await writeFile(join(inner, 'weir.yaml'), 'before');
  await follow(join(inner, 'weir.yaml'));
  await mkdir(join(folder, 'new'));
  await writeFile(join(folder, 'new', 'weir.yaml'), 'replaced');
  await rename(inner, join(folder, 'old'));
  await rename(join(folder, 'new'), inner);
  await changes(1);
  expect(told).toEqual(['replaced']);
});

test('each change is told once, however much else is going on in the folder', async () => {
  const file = join(folder, 'weir.yaml');
  await writeFile(file, '0');
  await follow(file, [], { ...systemClock, after: (_delayMs: number, run: () => void) => systemClock.after(3, run) });
  let isOver = false;
  const noise = (async () => {
    while (!isOver) await writeFile(join(folder, 'other'), 'x');
  })();
  const written = Array.from({ length: 60 }, (_, at) => String(at + 1));
  for (const text of written) {
    await writeFile(`${file}.new`, text);
    await rename(`${file}.new`, file);
    while (told.at(-1) !== text) await changes(told.length + 1);
  }
  isOver = true;
  await noise;
  expect(told).toEqual(written);
});
