/** The config of a tier by the admin interface, and by the commands that speak it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { configVersionsAnswer } from '../../../../src/control-plane/admin/answers.ts';
import type { ConfigDesk, ConfigStanding, PublishedVersion } from '../../../../src/control-plane/rollout/config-desk.ts';
import type { PublishOutcome, PublishRequest } from '../../../../src/control-plane/rollout/config-publisher.ts';
import { StoreAway } from '../../../../src/control-plane/store/tier-store.ts';
import { adoptCommand } from '../../../../src/cli/adopt.ts';
import { diffCommand } from '../../../../src/cli/diff.ts';
import { historyCommand } from '../../../../src/cli/history.ts';
import { pushCommand } from '../../../../src/cli/push.ts';
import { rollbackCommand } from '../../../../src/cli/rollback.ts';
import type { CommandOutput } from '../../../../src/cli/admin-client.ts';
import { AdminWorld, startAdmin, type StartedAdmin } from '../../../support/admin-world.ts';

const version = (number: number, parts: Partial<PublishedVersion> = {}): PublishedVersion => ({ number, sha: String(number).repeat(64).slice(0, 64), by: 'a', atMs: Date.UTC(2026, 0, number), parent: number - 1 || null, rollbackOf: null, state: 'committed', ...parts });

class FakeDesk {
  outcome: PublishOutcome = { kind: 'committed', number: 3, notes: [] };
  asked: (Omit<PublishRequest, 'bytes'> & { text: string })[] = [];
  isAway = false;
  standing_: ConfigStanding = { history: 'h', head: 2, rollout: null, failure: '', lastRefusal: null };
  list: PublishedVersion[] = [version(2), version(1)];
  texts = new Map([[1, 'pools: {}\n'], [2, 'pools: {}\n# two\n']]);
  adopted = 0;

  standing(): ConfigStanding {
    return this.standing_;
  }
  versions(): Promise<readonly PublishedVersion[]> {
    return this.isAway ? Promise.reject(new StoreAway('refused')) : Promise.resolve(this.list);
  }
  bytes(number: number): Promise<Uint8Array | null> {
    const text = this.texts.get(number);
    return Promise.resolve(text === undefined ? null : Buffer.from(text));
  }
  publish({ bytes, ...request }: PublishRequest): Promise<PublishOutcome> {
    this.asked.push({ ...request, text: Buffer.from(bytes).toString() });
    return Promise.resolve(this.outcome);
  }
  rollBack(to: number): Promise<PublishOutcome> {
    return Promise.resolve(to === 1 ? this.outcome : { kind: 'no-such-version', number: to });
  }
  adopt(): Promise<void> {
    this.adopted++;
    return Promise.resolve();
  }
}

let world: AdminWorld;
let started: StartedAdmin;
let desk: FakeDesk;
let folder: string;
beforeEach(async () => {
  world = new AdminWorld();
  desk = new FakeDesk();
  world.desk = desk as unknown as ConfigDesk;
  started = await startAdmin(world);
  folder = await mkdtemp(join(tmpdir(), 'weir-push-'));
});
afterEach(async () => {
  await started.close();
  await rm(folder, { recursive: true, force: true });
});

async function post(path: string, body: string, headers: Record<string, string> = {}): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(started.url + path, { method: 'POST', body, headers: { 'content-type': 'application/yaml', ...headers } });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}
const postJson = (path: string, body: unknown): ReturnType<typeof post> => post(path, JSON.stringify(body), { 'content-type': 'application/json' });

describe('publishing', () => {
  it('passes bytes, parent and canary on', async () => {
    const text = '\ufeffpools: {}\n# ü\n';
    expect(await post('/api/v1/config?canary=20%25&for=30s', text, { 'if-match': '"2"' })).toEqual({ status: 200, body: { version: 3, outcome: 'committed', notes: [] } });
    expect(desk.asked).toEqual([{ text, parent: 2, canary: { share: 0.2, forMs: 30_000 }, by: 'proxy-a' }]);
    await post('/api/v1/config?canary=5%25', 'pools: {}');
    expect(desk.asked[1]).toMatchObject({ parent: null, canary: { share: 0.05, forMs: 60_000 } });
  });

  it.each([
    [{ kind: 'stale', head: 4 }, 412],
    [{ kind: 'busy', number: 4 }, 409],
    [{ kind: 'away', reason: 'the store is away' }, 503],
    [{ kind: 'aborted', number: 4, reason: 'b: no' }, 422],
    [{ kind: 'refused', text: 'no', problems: [{ file: 'f', line: 1, column: 2, severity: 'error', message: 'bad' }] }, 422],
  ] as [PublishOutcome, number][])('answers %j with %i', async (outcome, status) => {
    desk.outcome = outcome;
    const answer = await post('/api/v1/config', 'pools: {}');
    expect(answer.status).toBe(status);
    if (outcome.kind === 'refused') expect(answer.body['problems']).toEqual(outcome.problems);
  });

  it.each(['?canary=20', '?canary=0%25', '?canary=101%25', '?for=1m', '?canary=5%25&for=1', '?canary=5%25&for=0s', '?parent=1'])('is not asked for by %s', async (query) => {
    expect((await post(`/api/v1/config${query}`, 'pools: {}')).status).toBe(400);
    expect((await post('/api/v1/config', 'pools: {}', { 'if-match': 'W/"x"' })).status).toBe(400);
    expect(desk.asked).toEqual([]);
  });

  it('rolls back to a version there is, and adopts', async () => {
    expect(await postJson('/api/v1/config/rollback', { version: 1 })).toMatchObject({ status: 200 });
    expect(await postJson('/api/v1/config/rollback', { version: 7 })).toMatchObject({ status: 404 });
    expect(await postJson('/api/v1/config/adopt', {})).toEqual({ status: 200, body: { history: 'h' } });
    expect(desk.adopted).toBe(1);
  });

  it('is a 409 without a store, whichever way it is asked for', async () => {
    world.desk = null;
    expect((await post('/api/v1/config', 'pools: {}')).status).toBe(409);
    expect((await postJson('/api/v1/config/rollback', { version: 1 })).status).toBe(409);
    expect((await postJson('/api/v1/config/adopt', {})).status).toBe(409);
  });
});

describe('versions', () => {
  it('are the tier’s, in the shape that is described', async () => {
    desk.list = [version(3, { state: 'published' }), version(2, { rollbackOf: 1 }), version(1)];
    desk.standing_ = { ...desk.standing_, rollout: { number: 3, phase: 'canary', by: 'a', canaries: ['b'] } };
    const answer = await fetch(`${started.url}/api/v1/config/versions`);
    const body = configVersionsAnswer.extend({ items: z.array(z.unknown()) }).parse(await answer.json());
    expect(body).toMatchObject({ history: 'h', head: 2, rollout: { version: 3, phase: 'canary', canaries: ['b'] } });
    expect(body.items[1]).toMatchObject({ version: 2, rollbackOf: 1, state: 'committed', by: 'a' });
    desk.isAway = true;
    expect((await fetch(`${started.url}/api/v1/config/versions`)).status).toBe(503);
  });

  it('are read one by one, secrets replaced', async () => {
    desk.texts.set(1, 'admin: { token: abc }\n');
    const answer = await fetch(`${started.url}/api/v1/config?version=1`);
    if (world.config!.snapshot.number !== 1) expect(answer.headers.get('etag')).toBe('"1"');
    expect(await (await fetch(`${started.url}/api/v1/config?version=2`)).text()).toBe('pools: {}\n# two\n');
    expect((await fetch(`${started.url}/api/v1/config?version=9`)).status).toBe(404);
    expect((await fetch(`${started.url}/api/v1/config?version=0`)).status).toBe(400);
  });
});

describe('the commands', () => {
  async function ran(command: (output: CommandOutput, flags: { admin: string; json?: boolean }) => Promise<number>, json = false): Promise<{ code: number; out: string; err: string }> {
    let [out, err] = ['', ''];
    const output = { stdout: { write: (text: string) => (out += text) }, stderr: { write: (text: string) => (err += text) } };
    const code = await command(output, { admin: started.url, json });
    return { code, out, err };
  }
  const fileOf = async (text: string): Promise<string> => {
    const path = join(folder, 'new.yaml');
    await writeFile(path, text);
    return path;
  };

  it('push publishes the file’s bytes over the head, or the parent given', async () => {
    const file = await fileOf('pools: {}\n');
    expect(await ran((output, flags) => pushCommand(file, flags, output))).toEqual({ code: 0, out: 'version 3 is committed\n', err: '' });
    expect(await ran((output, flags) => pushCommand(file, { ...flags, parent: '1' }, output), true)).toMatchObject({ code: 0, out: '{"version":3,"outcome":"committed","notes":[]}\n' });
    expect(desk.asked.map(({ parent, text }) => [parent, text])).toEqual([[2, 'pools: {}\n'], [1, 'pools: {}\n']]);
    desk.outcome = { kind: 'aborted', number: 3, reason: 'b: port 80 is in use' };
    expect(await ran((output, flags) => pushCommand(file, flags, output))).toMatchObject({ code: 1, err: expect.stringContaining('b: port 80 is in use') });
  });

  it('push with a canary waits for the decision, and tells why it went against it', async () => {
    const file = await fileOf('pools: {}\n');
    desk.outcome = { kind: 'canary', number: 3 };
    desk.standing_ = { ...desk.standing_, rollout: null, lastRefusal: { number: 3, reason: 'the canary fails more' } };
    expect(await ran((output, flags) => pushCommand(file, { ...flags, canary: '20%', for: '1s' }, output))).toMatchObject({ code: 1, err: expect.stringContaining('version 3 was not taken: the canary fails more') });
    desk.list = [version(3), ...desk.list];
    expect(await ran((output, flags) => pushCommand(file, { ...flags, canary: '20%' }, output))).toMatchObject({ code: 0, out: expect.stringContaining('version 3 is committed') });
  });

  it('wrong usage is 2', async () => {
    const file = await fileOf('pools: {}\n');
    for (const flags of [{ parent: 'x' }, { parent: '0' }, { canary: '20' }, { for: '1m' }, { canary: '20%', for: 'long' }]) {
      expect((await ran((output, base) => pushCommand(file, { ...base, ...flags }, output))).code).toBe(2);
    }
    expect((await ran((output, flags) => pushCommand(join(folder, 'absent'), flags, output))).code).toBe(2);
    expect((await ran((output, flags) => diffCommand('1', 'two', flags, output))).code).toBe(2);
    expect((await ran((output, flags) => rollbackCommand('-1', flags, output))).code).toBe(2);
    expect(desk.asked).toEqual([]);
  });

  it('history, diff, rollback, adopt', async () => {
    world.load({ number: 9 });
    const history = await ran((output, flags) => historyCommand(flags, output));
    expect(history.out).toMatch(/^VERSION +STATE.*\n +2 +head +2026-01-02T00:00:00Z +a +222222222222\n +1 +2026/);
    expect((await ran((output, flags) => diffCommand('1', '2', flags, output))).out).toBe('--- version 1\n+++ version 2\n@@ -1 +1,2 @@\n pools: {}\n+# two\n');
    expect(await ran((output, flags) => rollbackCommand('1', flags, output))).toMatchObject({ code: 0, out: 'version 3, the content of 1, is committed\n' });
    expect(await ran((output, flags) => rollbackCommand('5', flags, output))).toMatchObject({ code: 1, err: expect.stringContaining('no version 5') });
    expect(await ran((output, flags) => adoptCommand(flags, output))).toMatchObject({ code: 0 });
    expect(desk.adopted).toBe(1);
  });
});
