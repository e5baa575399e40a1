/** Probes that go on in TLS over a connection that began in the clear, against real servers that let nobody in without. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { CheckIdentities } from '../../../src/control-plane/health/check-identity.ts';
import { Check } from '../../../src/control-plane/health/check.ts';
import type { ProbeResult } from '../../../src/control-plane/health/probe.ts';
import { Prober } from '../../../src/control-plane/health/prober.ts';
import { probeDefinition } from '../../../src/control-plane/health/registry.ts';
import { dialUdp } from '../../../src/net/dial-udp.ts';
import { dial } from '../../../src/net/dial.ts';
import { backendSpec, healthSpec } from '../../support/backend-rig.ts';
import { giveToNobody } from '../../support/database-server.ts';
import { hasMariadb, MARIADB_ADVICE, MariadbServer } from '../../support/mariadb-server.ts';
import { OddBackend } from '../../support/odd-backends.ts';
import { POSTGRES_ADVICE, postgresPrograms, PostgresServer } from '../../support/postgres-server.ts';
import { hasProgram, RealServer } from '../../support/real-server.ts';
import { TestCa } from '../../support/test-ca.ts';

const PASSWORD = 'pencil & Ⅸ';
const ca = new TestCa('Databases');
const strangers = new TestCa('Strangers');
const site = ca.issue({ names: ['IP:127.0.0.1', 'db.internal'] });
const [ours, foreign] = [ca, strangers].map((each) => each.issue({ subject: '/CN=weir' }));
/** What a server that asks for it gets to see. */
const shown = { ca: ca.ca, cert: ours!.cert, key: ours!.key };
const refused = { ca: ca.ca, cert: foreign!.cert, key: foreign!.key };
/** Where a server that runs as nobody finds them. */
const folder = mkdtempSync(join(tmpdir(), 'weir-start-tls-'));
const [certFile, keyFile, caFile] = [join(folder, 'site.crt'), join(folder, 'site.key'), join(folder, 'ca.crt')];
chmodSync(folder, 0o755);
writeFileSync(certFile, site.cert);
writeFileSync(caFile, ca.ca);
writeFileSync(keyFile, site.key, { mode: 0o600 });
giveToNobody(keyFile);
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  for (const each of [ca, strangers]) each.remove();
});

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** One probe as a config asks for it, all the way from its options. `passed`, or the reason. */
async function probed(type: string, port: number, options: Record<string, unknown>): Promise<string> {
  const spec = healthSpec({ type, timeoutMs: 20_000, options: probeDefinition(type)!.options.parse(options) });
  const [asked] = new CheckIdentities().of({ health: [spec], proxyProtocol: 'off' });
  const result = await new Promise<ProbeResult>((resolve) => {
    const prober = new Prober({ clock: systemClock, dial, dialUdp, concurrencyMax: 1, countVoid: () => undefined, names: { addressOf: () => null, failureOf: () => null, connectFailed: () => undefined }, judge: (_check, _startMs, outcome) => resolve(outcome) });
    stops.push(() => prober.stop());
    prober.now(new Check('key', backendSpec(`127.0.0.1:${port}`), asked!.plan));
  });
  return result.ok ? 'passed' : result.reason;
}

/** What holds of each of the servers. `options`: of a login that is let in over TLS alone. */
function holdsTo(type: string, server: () => { readonly port: number }, options: Record<string, unknown>): void {
  it('is probed in TLS, with its certificate held to its address or to a name', async () => {
    expect(await probed(type, server().port, { ...options, tls: { ca: ca.ca } })).toBe('passed');
    expect(await probed(type, server().port, { ...options, tls: { ca: ca.ca, serverName: 'db.internal' } })).toBe('passed');
    expect(await probed(type, server().port, { ...options, tls: { verify: false } })).toBe('passed');
  });

  it('whose certificate is not of the authority, or for another name, fails', async () => {
    expect(await probed(type, server().port, { ...options, tls: { ca: strangers.ca } })).toBe('its certificate was refused: its authority is not in ca');
    expect(await probed(type, server().port, { ...options, tls: {} })).toBe('its certificate was refused: its authority is not in ca');
    expect(await probed(type, server().port, { ...options, tls: { ca: ca.ca, serverName: 'other.internal' } })).toBe('its certificate was refused: it is for another name');
  });
}

describe.skipIf(postgresPrograms === null)(`a real PostgreSQL${POSTGRES_ADVICE}`, () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start({ rules: ['hostssl certified weir 127.0.0.1/32 cert', 'hostssl all all 127.0.0.1/32 scram-sha-256'], settings: ['ssl=on', `ssl_ca_file=${caFile}`, `ssl_cert_file=${certFile}`, `ssl_key_file=${keyFile}`] });
    await server.sql(`create user weir password '${PASSWORD}'`);
    await server.sql('create database certified');
  });
  afterAll(() => server.stop());
  const login = { user: 'weir', password: PASSWORD, database: 'postgres', query: 'select 1 from pg_stat_ssl where pid = pg_backend_pid() and ssl' };

  holdsTo('postgres', () => server, login);

  it('lets nobody in without', async () => {
    expect(await probed('postgres', server.port, login)).toMatch(/^28000 .*no encryption/);
  });

  it('that asks who we are is shown the certificate, which stands for a password', async () => {
    const certified = { user: 'weir', database: 'certified', query: 'select 1 from pg_stat_ssl where pid = pg_backend_pid() and client_serial is not null' };
    expect(await probed('postgres', server.port, { ...certified, tls: shown })).toBe('passed');
    expect(await probed('postgres', server.port, { ...certified, tls: { ca: ca.ca } })).toMatch(/^28000 .*valid client certificate/);
    expect(await probed('postgres', server.port, { ...certified, tls: refused })).toMatch(/TLS failed: .*unknown ca/);
  });
});

describe.skipIf(!hasMariadb)(`a real MariaDB${MARIADB_ADVICE}`, () => {
  let server: MariadbServer;
  beforeAll(async () => {
    server = await MariadbServer.start({ statements: [`create user weir identified by '${PASSWORD}' require ssl`, `create user certified identified by '${PASSWORD}' require x509`], settings: [`--ssl-ca=${caFile}`, `--ssl-cert=${certFile}`, `--ssl-key=${keyFile}`, '--character-set-server=utf8mb4'] });
  });
  afterAll(() => server.stop());
  const login = { password: PASSWORD, query: "select 1 from information_schema.session_status where variable_name = 'Ssl_cipher' and variable_value <> ''" };

  holdsTo('mysql', () => server, login);

  it('lets nobody in without', async () => {
    expect(await probed('mysql', server.port, login)).toMatch(/^1045 /);
  });

  it('that asks who we are is shown the certificate', async () => {
    const certified = { user: 'certified', password: PASSWORD };
    expect(await probed('mysql', server.port, { ...certified, tls: shown })).toBe('passed');
    expect(await probed('mysql', server.port, { ...certified, tls: { ca: ca.ca } })).toMatch(/^1045 /);
    expect(await probed('mysql', server.port, { ...certified, tls: refused })).not.toBe('passed');
  });
});

describe.skipIf(!hasProgram('aiosmtpd'))('a real mail server (Debian package python3-aiosmtpd)', () => {
  let server: RealServer;
  beforeAll(async () => {
    server = await RealServer.start('aiosmtpd', (port) => ['-n', '-l', `127.0.0.1:${port}`, '--tlscert', site.certFile, '--tlskey', site.keyFile, '--no-requiretls']);
  });
  afterAll(() => server.stop());

  holdsTo('smtp', () => server, {});
});

describe('a server that agrees and then does not speak TLS', () => {
  it.each([
    ['closes', (): null => null, 'closed instead of going on in TLS'],
    ['says something else', (): string => 'HTTP/1.1 400 Bad Request\r\n\r\n', 'TLS failed: '],
  ])('%s: a failed probe, and no password in the clear', async (_, answer, reason) => {
    const backend = await OddBackend.start((socket) => {
      socket.once('data', () => {
        socket.write('S');
        socket.once('data', () => {
          const said = answer();
          if (said === null) socket.end();
          else socket.end(said);
        });
      });
    });
    expect(await probed('postgres', backend.port, { user: 'weir', password: PASSWORD, tls: { verify: false } })).toContain(reason);
    expect(backend.received).not.toContain('weir');
    await backend.stop();
  });
});

it.each([{ ca: 'garbage' }, { ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' }, { serverName: 'a b' }, { verify: 'no' }, { other: 1 }])('terms that are none are refused: %j', (tls) => {
  for (const type of ['postgres', 'mysql', 'smtp']) expect(probeDefinition(type)!.options.safeParse({ tls }).success).toBe(false);
});
