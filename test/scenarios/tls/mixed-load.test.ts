/**
 * Over TLS, under a mixed load of HTTP/1.1, HTTP/2 and gRPC by four clients of
 * others: certificates are swapped, a backend is killed, the config is
 * reloaded, the proxy is drained. Every request is accounted for: none fails
 * but POSTs and calls that the killed backend had been sent already.
 */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFailed, onTestFinished, test } from 'vitest';
import { MixedBackend, MixedLoad } from '../../support/mixed-load.ts';
import { TestCa, type Issued } from '../../support/test-ca.ts';
import { TlsVisitor } from '../../support/tls-visitor.ts';
import { WeirProcess } from '../../support/weir-process.ts';

const WORKERS = 2;
/** More than there are workers, so that each is met. */
const VISITS = 8;
const LOG_LINES_SHOWN = 20;
const UNAVAILABLE = /^14 /;
/** Of a call whose answer had begun when its backend died: its stream is cut, so that nobody takes it for whole. */
const CUT_OFF = /^13 Received RST_STREAM with code 2/;

interface Files {
  readonly certFile: string;
  readonly keyFile: string;
}

function config({ certFile, keyFile }: Files, backends: readonly MixedBackend[], release: number): string {
  const probe = 'health: { type: tcp, interval: 200ms, fastInterval: 100ms }';
  const list = (port: (backend: MixedBackend) => number): string => backends.map((backend) => `"127.0.0.1:${port(backend)}"`).join(', ');
  return `
listeners:
  web:
    bind: "127.0.0.1:0"
    tls: { certificates: [{ cert: "file:${certFile}", key: "file:${keyFile}" }] }
    routes:
      - { match: { path: /test.Mixed }, pool: calls }
      - { pool: web, responseHeaders: { set: { x-release: "${release}" } } }
pools:
  web: { ${probe}, backends: [${list(({ webPort }) => webPort)}] }
  calls: { protocol: h2c, ${probe}, backends: [${list(({ grpcPort }) => grpcPort)}] }
admin: { bind: "127.0.0.1:0" }
drain: { delay: 2s, timeout: 10s }
`;
}

test('under a mixed load over TLS nothing is lost that may be sent again', { timeout: 90_000 }, async () => {
  const ca = new TestCa();
  onTestFinished(() => ca.remove());
  const [first, second] = [ca.issue({ subject: '/CN=first' }), ca.issue({ subject: '/CN=second' })];
  const files = { certFile: join(ca.folder, 'site.crt'), keyFile: join(ca.folder, 'site.key') };
  const put = (issued: Issued): void => {
    copyFileSync(issued.certFile, files.certFile);
    copyFileSync(issued.keyFile, files.keyFile);
  };
  put(first);
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => MixedBackend.start(name)));
  onTestFinished(() => Promise.all([a, b, c].map((backend) => backend!.kill())).then(() => undefined));
  await using weir = await WeirProcess.start(config(files, [a!, b!, c!], 1), { args: ['--workers', String(WORKERS)] });
  onTestFinished(() => weir.stop());
  const shown = async (): Promise<Set<string>> => {
    const visitors = await Promise.all(Array.from({ length: VISITS }, () => TlsVisitor.open(weir.port(), { ca: ca.ca })));
    const subjects = new Set(visitors.map(({ socket }) => socket.getPeerX509Certificate()!.subject));
    for (const visitor of visitors) visitor.close();
    return subjects;
  };
  const load = new MixedLoad();
  onTestFinished(() => load.stop());
  onTestFailed(() => console.log(JSON.stringify({ phase: load.phase, answered: [...load.answered].map(([phase, kinds]) => [phase, ...kinds]), failures: load.failures.slice(0, 20) }), `\nthe end of the proxy's log:\n${weir.log.slice(-LOG_LINES_SHOWN).map((line) => JSON.stringify(line)).join('\n')}\n${weir.said}`));
  load.start({ port: weir.port(), ca: ca.ca });

  await load.turn('quiet');
  expect(await shown()).toEqual(new Set(['CN=first']));

  await load.turn('certificates swapped');
  expect(await weir.reloadBy(() => put(second))).toMatchObject({ text: 'config runs' });
  expect(await shown()).toEqual(new Set(['CN=second']));

  await load.turn('backend killed');
  const from = weir.log.length;
  await c!.kill();
  for (const port of [c!.webPort, c!.grpcPort]) await weir.line((line) => line.text === 'backend down' && line['address'] === `127.0.0.1:${port}`, from);
  await load.turn('backend down');

  await load.turn('config reloaded');
  expect(await weir.edit(config(files, [a!, b!], 2))).toMatchObject({ text: 'config runs' });
  await load.turn('after the reload');
  expect(load.releases).toEqual(new Set(['1', '2', '']));

  await load.turn('drained');
  const { goaways } = load;
  weir.signal('SIGTERM');
  while ((await weir.admin('/readyz')).status !== 503);
  await load.leave();
  expect(load.goaways).toBeGreaterThan(goaways);
  expect(await weir.exited).toEqual({ code: 0, signal: null });

  const lost = load.failures.filter(({ phase, kind, what }) => phase === 'backend killed' && ((kind.endsWith('POST') && what === '502') || (kind === 'grpc' && (UNAVAILABLE.test(what) || CUT_OFF.test(what)))));
  expect(load.failures.filter((failure) => !lost.includes(failure))).toEqual([]);
  // Streams are refused only where the proxy says that it goes: by GOAWAY, before their head was looked at.
  expect([...load.refused.keys()].filter((phase) => phase !== 'drained')).toEqual([]);
  // No more than were under way.
  expect(lost.length).toBeLessThanOrEqual(load.loops);
});
