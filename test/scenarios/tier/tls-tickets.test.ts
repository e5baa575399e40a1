/** Three proxies over a real Redis with one tier key: a client resumes at any of them, before and after a rotation. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TICKETS_KEY, ticketsSha } from '../../../src/control-plane/store/ticket-records.ts';
import { TierKey } from '../../../src/control-plane/rollout/tier-key.ts';
import { redisStore } from '../../support/redis-rig.ts';
import { TestCa } from '../../support/test-ca.ts';
import { TierProcesses } from '../../support/tier-processes.ts';
import { TlsVisitor } from '../../support/tls-visitor.ts';
import { until, type WeirProcess } from '../../support/weir-process.ts';

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

/** Long beside what a visit takes, short beside what a person would wait. */
const ROTATION_MS = 3000;

const ca = new TestCa();
const site = ca.issue();
const keyFile = ca.write('tier.key', 'a secret of this tier and no other\n');

const configOf = (name: string, redisPort: number): string => `
listeners:
  web:
    bind: "127.0.0.1:0"
    tls: { certificates: [{ cert: "file:${site.certFile}", key: "file:${site.keyFile}" }] }
    routes: [{ respond: { status: 200, body: ok } }]
tier: { name: ${name}, store: "redis://127.0.0.1:${redisPort}", heartbeat: 300ms, lease: 2s }
admin: { bind: "127.0.0.1:0" }
drain: { delay: 0, timeout: 1s }
`;

let tier: TierProcesses;
let proxies: WeirProcess[];
let alone: WeirProcess;
beforeAll(async () => {
  tier = await TierProcesses.start();
  const env = { WEIR_TEST_HOOKS: '1', WEIR_TEST_TICKET_ROTATION_MS: String(ROTATION_MS) };
  const yaml = configOf('edge', tier.redis.port);
  proxies = await Promise.all(['a', 'b', 'c'].map((node) => tier.spawn(node, yaml, { args: ['--tier-key', keyFile], env })));
  alone = await tier.spawn('alone', configOf('bare', tier.redis.port));
  await Promise.all([...proxies, alone].map((proxy) => proxy.line(({ text }) => text === 'ready')));
  await Promise.all(proxies.map((proxy) => proxy.line(({ text }) => text === 'session tickets are good at all members of the tier')));
});
afterAll(async () => {
  await tier[Symbol.asyncDispose]();
  ca.remove();
});

type Version = 'TLSv1.2' | 'TLSv1.3';

async function visit(proxy: WeirProcess, maxVersion: Version, session: Buffer | null = null): Promise<{ readonly reused: boolean; readonly session: Buffer }> {
  const visitor = await TlsVisitor.open(proxy.port(), { ca: ca.ca, maxVersion, ...(session === null ? {} : { session }) });
  const reused = visitor.socket.isSessionReused();
  visitor.send('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  await visitor.untilClosed();
  expect(visitor.received).toContain('ok');
  return { reused, session: visitor.session ?? session! };
}

const held = (): Promise<string | null> => tier.redis.client().hget('weir:{edge}:entries', `v${TICKETS_KEY}`);

/** Resolves within a moment of the next rotation's being in the store. */
async function rotation(): Promise<void> {
  const before = await held();
  await until(async () => (await held()) !== before);
}

const keysOf = async (proxy: WeirProcess): Promise<unknown> => (JSON.parse((await proxy.admin('/api/v1/status?backends=none')).body) as { tickets: unknown }).tickets;

/** At each of the three, whether it was taken up again there. */
const visitAll = (version: Version, session: Buffer): Promise<{ readonly reused: boolean; readonly session: Buffer }[]> => Promise.all(proxies.map((proxy) => visit(proxy, version, session)));

it('a session is taken up again at the others, also after a rotation', async () => {
  const versions = ['TLSv1.2', 'TLSv1.3'] as const;
  const first = await Promise.all(versions.map(async (version) => (await visit(proxies[0]!, version)).session));
  const known = await Promise.all(versions.map((version, at) => visitAll(version, first[at]!)));
  await rotation();
  // Some have read the new keys by now and some have not: it is good at all of them, and so is what each gives out.
  const renewed = await Promise.all(versions.map((version, at) => visitAll(version, first[at]!)));
  const crossed = await Promise.all(versions.map((version, at) => Promise.all(renewed[at]!.map(({ session }, of) => visit(proxies[(of + 1) % 3]!, version, session)))));
  expect([known, renewed, crossed].map((visits) => visits.map((each) => each.map(({ reused }) => reused)))).toEqual(Array.from({ length: 3 }, () => [[true, true, true], [true, true, true]]));
});

describe('the keys', () => {
  it('are in the store sealed, and in no log and no answer', async () => {
    const text = (await held())!;
    const plain = Buffer.from(new TierKey(readFileSync(keyFile).subarray(0, -1)).openTickets('edge', text)!);
    expect(text.length).toBeLessThan(400);
    const dump = Buffer.concat([Buffer.from(JSON.stringify(proxies.map(({ log, said }) => [log, said]))), Buffer.from(JSON.stringify(await Promise.all(proxies.map(async (proxy) => (await proxy.admin('/api/v1/tier')).body)))), Buffer.from(text)]).toString();
    for (const encoding of ['hex', 'base64', 'base64url'] as const) for (let at = 8; at < plain.length; at += 16) expect(dump).not.toContain(plain.toString(encoding, at, at + 15));
  });

  it('that somebody forged, with all the rights of the leader, are refused and replaced', async () => {
    const rigged = redisStore(tier.redis.url, { tier: 'edge' });
    const words = (await tier.redis.client().hget('weir:{edge}:state', ' meta'))!.split(' ');
    const forged = new TierKey(Buffer.from('a secret of somebody else')).sealTickets('edge', new Uint8Array(200));
    const { session } = await visit(proxies[0]!, 'TLSv1.3');
    await until(async () => (await rigged.store.putTickets({ member: words[6]!, incarnation: words[7]!, expectedSha: ticketsSha(await held()), text: forged })) === 'done');
    await rigged.store.close();
    const complaints = await Promise.all(proxies.map((proxy) => proxy.line(({ text }) => text === 'the keys of session tickets in the store are not taken')));
    expect(complaints.map(({ reason }) => reason)).toEqual(proxies.map(() => 'they are not sealed by the tier key'));
    await until(async () => (await held()) !== forged);
    for (const proxy of proxies) expect((await visit(proxy, 'TLSv1.3', session)).reused).toBe(true);
  });

  it('are had by a proxy that was restarted', async () => {
    const [a, b] = proxies;
    const env = { WEIR_TEST_HOOKS: '1', WEIR_TEST_TICKET_ROTATION_MS: String(ROTATION_MS) };
    a!.signal('SIGTERM');
    await a!.exited;
    const again = await tier.spawn('a', configOf('edge', tier.redis.port), { args: ['--tier-key', keyFile], env });
    await again.line(({ text }) => text === 'ready');
    const { session } = await visit(b!, 'TLSv1.3');
    expect((await visit(again, 'TLSv1.3', session)).reused).toBe(true);
    expect(await keysOf(again)).toEqual({ keys: 'tier', reason: '' });
  });

  it('are not shared without a tier key, which is said', async () => {
    expect(await alone.line(({ text }) => text === 'session tickets are good at this proxy alone')).toMatchObject({ reason: 'there is no tier key' });
    expect(await keysOf(alone)).toEqual({ keys: 'own', reason: 'there is no tier key' });
    expect(await tier.redis.client().hexists('weir:{bare}:entries', `v${TICKETS_KEY}`)).toBe(0);
  });
});
