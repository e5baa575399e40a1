/** A pool probed by a program of the operator's: a real proxy goes by it, and takes it along when it ends. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until, WeirProcess } from '../../support/weir-process.ts';

const CHECK = `#!/bin/sh
[ -e ill ] && echo "$WEIR_ADDRESS is ill, says $1" >&2 && exit 3
[ -e hanging ] || exit 0
sleep 1000 &
echo "$$ $!" > pids.new && mv pids.new pids
wait
`;

const config = `
listeners: { web: { bind: "127.0.0.1:0", pool: web } }
pools:
  web:
    backends: [localhost:9]
    health: { type: exec, command: [./checks/check.sh, nobody], interval: 50ms, fastInterval: 50ms, timeout: 1m, rise: 1, fall: 1 }
admin: { bind: "127.0.0.1:0" }
drain: { delay: 0, timeout: 5s }
`;

let weir: WeirProcess;
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'weir-'));
  await mkdir(join(folder, 'checks'));
  await writeFile(join(folder, 'checks/check.sh'), CHECK);
  await chmod(join(folder, 'checks/check.sh'), 0o755);
  weir = await WeirProcess.start(config, { folder });
});
afterAll(() => weir.stop());

it('goes by the program, and by what it says', async () => {
  expect(await weir.line(({ text }) => text === 'backend up')).toMatchObject({ address: 'localhost:9' });
  await writeFile(join(weir.folder, 'ill'), '');
  expect(await weir.line(({ text }) => text === 'backend down')).toMatchObject({ reason: 'exit 3: localhost:9 is ill, says nobody' });
  const from = weir.log.length;
  await rm(join(weir.folder, 'ill'));
  await weir.line(({ text }) => text === 'backend up', from);
});

it('leaves none of its processes behind when it ends', async () => {
  await writeFile(join(weir.folder, 'hanging'), '');
  let pids: number[] = [];
  await until(async () => {
    pids = (await readFile(join(weir.folder, 'pids'), 'utf8').catch(() => '')).trim().split(' ').map(Number);
    return pids.length === 2;
  });
  weir.signal('SIGTERM');
  expect(await weir.exited).toEqual({ code: 0, signal: null });
  await until(async () => {
    const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'gone')));
    return stats.every((stat) => stat === 'gone' || / Z /.test(stat));
  });
});
