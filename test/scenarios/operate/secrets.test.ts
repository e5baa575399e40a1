/** A token in a file: the one on the disk holds, without a restart, and nothing ever shows it. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkCommand } from '../../../src/cli/check.ts';
import { Visitor } from '../../support/visitor.ts';
import { respondingConfig, WeirProcess } from '../../support/weir-process.ts';

const SECRETS = ['first-token-7f3a', 'second-token-91bc', 'reading-token-55aa', 'written-token-d00d', 'health-secret-4242'];

test('tokens hold as they are on the disk, and stay secret', async () => {
  const [first, second, reading, written, header] = SECRETS as [string, string, string, string, string];
  const admin = (token: string): string => `admin: { bind: "127.0.0.1:0", token: "${token}", readToken: "file:reading" }`;
  const pool = `pools: { web: { backends: ["127.0.0.1:1"], health: { type: http, headers: { authorization: "file:health" } } } }`;
  const yaml = (token: string): string => respondingConfig('x', 'log: { level: debug }').replace('admin: { bind: "127.0.0.1:0" }', admin(token)).replace('pools: {}', pool);
  const folder = await mkdtemp(join(tmpdir(), 'weir-'));
  for (const [name, secret] of [['token', `${first}\n`], ['reading', reading], ['health', header]] as const) await writeFile(join(folder, name), secret);
  await using weir = await WeirProcess.start(yaml('file:token'), { folder });
  using visitor = new Visitor(weir.adminPort);
  const ask = async (path: string, token: string, method = 'GET'): Promise<{ status: number; body: string }> =>
    visitor.ask(path, { method, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: method === 'POST' ? '{}' : '' });
  const rights = async (token: string): Promise<number[]> => [(await ask('/metrics', token)).status, (await ask('/api/v1/undrain', token, 'POST')).status];

  expect(await rights(first)).toEqual([200, 200]);
  expect(await rights(reading)).toEqual([200, 403]);
  expect(await rights(second)).toEqual([401, 401]);

  // Only the secret's file changes.
  expect(await weir.reloadBy(() => writeFile(join(folder, 'token'), second))).toMatchObject({ text: 'config runs', version: 2 });
  expect(await rights(first)).toEqual([401, 401]);
  expect(await rights(second)).toEqual([200, 200]);

  // One that was written into the config after all is not shown either.
  expect(await weir.edit(yaml(written))).toMatchObject({ text: 'config runs' });
  expect(await rights(written)).toEqual([200, 200]);
  const shown: string[] = [];
  for (const path of ['/api/v1/status', '/api/v1/config', '/api/v1/config/versions', '/api/v1/backends', '/api/v1/tier', '/api/v1/openapi.json', '/metrics', '/readyz']) {
    const answer = await ask(path, written);
    expect(answer.status, path).toBe(200);
    shown.push(answer.body);
  }
  const check = (file: string, json: boolean): Promise<number> => {
    const take = (text: string): void => void shown.push(text);
    return checkCommand(file, { json, color: false, load: {} }, { out: take, err: take });
  };
  expect([await check(weir.file, false), await check(weir.file, true)]).toEqual([0, 0]);
  const broken = join(folder, 'broken.yaml');
  await writeFile(broken, yaml(written).replace('readToken', 'readTokn'));
  expect(await check(broken, false)).toBe(1);
  shown.push(JSON.stringify(weir.log), weir.said, weir.out);
  for (const secret of SECRETS) for (const text of shown) expect(text).not.toContain(secret);
});
