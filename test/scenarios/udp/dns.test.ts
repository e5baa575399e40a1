/** A real DNS server behind the proxy, asked by a real resolver: over UDP in one-shot sessions, over TCP at the same port. */
import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { untilMetrics } from '../../support/visitor.ts';
import { WeirProcess } from '../../support/weir-process.ts';

const run = promisify(execFile);
const isThere = (command: string): boolean => spawnSync(command, ['--version']).error === undefined;
/** Debian packages dnsmasq-base and bind9-dnsutils. */
const missing = [...(isThere('dnsmasq') ? [] : ['dnsmasq-base']), ...(isThere('dig') ? [] : ['bind9-dnsutils'])];
if (missing.length > 0) console.log(`not run: a DNS server behind UDP needs the Debian package ${missing.join(' and ')}`);

const servers: ChildProcess[] = [];
let weir: WeirProcess;
let port: number;

/** Says its name to a TXT query for who.test, and has an answer of 3 KB at large.test. */
async function startServer(name: string): Promise<number> {
  const own = await freePort();
  const args = ['--keep-in-foreground', '--conf-file=/dev/null', '--pid-file=', '--user=', '--log-facility=-', '--no-resolv', '--no-hosts', '--bind-interfaces', '--listen-address=127.0.0.1'];
  const records = ['--local=/test/', '--host-record=a.test,192.0.2.7,2001:db8::7', `--txt-record=who.test,${name}`, `--txt-record=large.test,${Array.from({ length: 12 }, () => 'x'.repeat(250)).join(',')}`];
  const server = spawn('dnsmasq', [...args, `--port=${own}`, '--edns-packet-max=4096', ...records], { stdio: ['ignore', 'ignore', 'pipe'] });
  servers.push(server);
  await new Promise<void>((resolve, reject) => {
    let said = '';
    server.once('exit', (code) => reject(new Error(`dnsmasq ended with ${code}: ${said}`)));
    server.stderr.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      if (said.includes('started')) resolve();
    });
  });
  return own;
}

async function dig(...question: string[]): Promise<string> {
  return (await run('dig', ['@127.0.0.1', '-p', String(port), '+tries=1', '+time=10', '+short', ...question])).stdout.trim();
}

beforeAll(async () => {
  if (missing.length > 0) return;
  const [one, two] = [await startServer('one'), await startServer('two')];
  port = await freePort();
  weir = await WeirProcess.start(`
listeners:
  dns: { protocol: udp, bind: "127.0.0.1:${port}", limits: { responses: 1 }, pool: dns }
  dns-tcp: { protocol: tcp, bind: "127.0.0.1:${port}", pool: dns }
pools:
  dns: { algorithm: round-robin, backends: ["127.0.0.1:${one}", "127.0.0.1:${two}"] }
admin: { bind: "127.0.0.1:0" }
`);
});

afterAll(async () => {
  for (const server of servers) server.kill();
  if (missing.length === 0) await weir.stop();
});

test.skipIf(missing.length > 0)('questions are answered, by both servers in turn', async () => {
  expect(await dig('a.test', 'A')).toBe('192.0.2.7');
  expect(await dig('a.test', 'AAAA')).toBe('2001:db8::7');
  const names = await Promise.all(Array.from({ length: 12 }, () => dig('who.test', 'TXT')));
  expect(new Set(names)).toEqual(new Set(['"one"', '"two"']));
  expect((await dig('none.test', 'A', '+noshort', '+comments')).includes('NXDOMAIN')).toBe(true);
});

test.skipIf(missing.length > 0)('an answer of several kilobytes passes whole', async () => {
  expect(await dig('large.test', 'TXT', '+bufsize=4096', '+ignore')).toHaveLength(12 * 253 - 1);
});

test.skipIf(missing.length > 0)('a truncated answer sends the resolver to TCP, at the same port', async () => {
  const truncated = await dig('large.test', 'TXT', '+bufsize=512', '+ignore', '+noshort', '+comments');
  expect(truncated).toMatch(/flags:[^;]* tc/);
  expect(await dig('large.test', 'TXT', '+tcp')).toHaveLength(12 * 253 - 1);
});

test.skipIf(missing.length > 0)('no session outlives its answer', async () => {
  const samples = await untilMetrics(weir, (now) => now.get('weir_udp_sessions{listener="dns"}') === 0);
  expect(samples.get('weir_udp_datagrams_total{listener="dns",direction="sent"}')).toBe(samples.get('weir_udp_datagrams_total{listener="dns",direction="received"}'));
});
