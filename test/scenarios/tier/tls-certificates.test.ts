/** Certificates in a tier: each proxy reads its own files, and one that cannot show what was published keeps all from running it. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { StatusAnswer } from '../../../src/control-plane/admin/answers.ts';
import { TestCa, type Issued } from '../../support/test-ca.ts';
import { allAnswer, tierConfig, TierProcesses } from '../../support/tier-processes.ts';
import { TlsVisitor } from '../../support/tls-visitor.ts';
import { until, type WeirProcess } from '../../support/weir-process.ts';

const ca = new TestCa();
afterAll(() => ca.remove());

const put = (folder: string, cert: Issued, key: Issued): void => {
  copyFileSync(cert.certFile, join(folder, 'site.crt'));
  copyFileSync(key.keyFile, join(folder, 'site.key'));
};

test('a publish whose certificate is missing, or is not its key’s, on one member is refused with its words', { timeout: 120_000 }, async () => {
  await using tier = await TierProcesses.start();
  const [first, second, stranger] = [ca.issue({ subject: '/CN=first' }), ca.issue({ subject: '/CN=second' }), ca.issue()];
  const folders = ['a', 'b'].map((node) => join(tier.folder, `certs-${node}`));
  for (const folder of folders) mkdirSync(folder);
  const plain = tierConfig(tier.redis.port, 'one');
  const proxies = await Promise.all(['a', 'b'].map((node, at) => tier.spawn(node, plain, { env: { CERTS: folders[at]! } })));
  await Promise.all(proxies.map((proxy) => proxy.line(({ text }) => text === 'ready')));
  const [a, b] = proxies as [WeirProcess, WeirProcess];
  const file = join(tier.folder, 'secure.yaml');
  writeFileSync(file, plain.replace('web: {', 'secure: { bind: "127.0.0.1:0", tls: { certificates: [{ cert: "file:${CERTS}/site.crt", key: "file:${CERTS}/site.key" }] }, routes: [{ respond: { status: 200, body: secret } }] }\n  web: {'));
  const shown = (): Promise<string[]> => Promise.all(proxies.map(async (proxy) => {
    let bind: string | undefined;
    await until(async () => (bind = (JSON.parse((await proxy.admin('/api/v1/status')).body) as StatusAnswer).listeners['secure']?.binds[0]) !== undefined);
    const visitor = await TlsVisitor.open(Number(bind!.split(':')[1]), { ca: ca.ca });
    const { subject } = visitor.socket.getPeerX509Certificate()!;
    visitor.close();
    return subject;
  }));

  put(folders[0]!, first, first);
  const missing = await tier.command(a, 'push', file);
  expect([missing.code, missing.said]).toEqual([1, expect.stringMatching(/b: .*site\.crt/s)]);
  put(folders[1]!, second, stranger);
  const mismatched = await tier.command(a, 'push', file);
  expect([mismatched.code, mismatched.said]).toEqual([1, expect.stringMatching(/b: .*is not the key of the certificate/s)]);
  expect(mismatched.said).not.toContain('PRIVATE KEY');
  await allAnswer(proxies, 'one');

  // Different certificates are no quarrel: each shows what its own files hold.
  put(folders[1]!, second, second);
  expect(await tier.command(b, 'push', file)).toMatchObject({ code: 0 });
  expect(await shown()).toEqual(['CN=first', 'CN=second']);
});
