/**
 * What must hold of certificates and keys before a listener takes them: they
 * can be read, belong together, and OpenSSL takes them with all that is said
 * of them. Called by cross-checks.ts with what is left of a config. A broken
 * pair refuses the whole config, so the one that runs goes on with its own.
 */
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { backendContextOptions } from '../net/secure-dial.ts';
import { contextOptions } from '../net/tls-context.ts';
import type { Loose } from './check-schema.ts';
import type { ProblemHints } from './problems.ts';
import { readCertificates, readKey, readPair, type ReadCertificate } from './read-certificate.ts';
import { Fault } from './schema/notes.ts';
import type { PoolTls, Tls } from './schema/tls.ts';
import { nodeAt, type MapNode, type YamlPath } from './yaml-tree.ts';

export interface CertificateReport {
  readonly tree: MapNode;
  /** Wall time. */
  readonly nowMs: number;
  fail(at: YamlPath, message: string, hints?: ProblemHints): void;
  warn(at: YamlPath, message: string, hints?: ProblemHints): void;
}

const DAY_MS = 86_400_000;
/** Whoever renews by itself has done so by then. */
export const EXPIRY_WARNING_MS = 14 * DAY_MS;

interface WrittenPair {
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

export function checkListenerTls(tls: Loose<Tls>, at: YamlPath, report: CertificateReport): void {
  const pairs = tls.certificates ?? [];
  let areRight = pairs.length > 0;
  for (const [index, pair] of pairs.entries()) {
    if (pair === undefined || !checkPair(pair as WrittenPair, [...at, 'certificates', index], report)) areRight = false;
  }
  const { minVersion, ciphers, curves, clientAuth } = tls;
  const ca = clientAuth?.ca;
  if (ca !== undefined && !checkAuthorities(ca, [...at, 'clientAuth', 'ca'], report)) return;
  if (!areRight || minVersion === undefined || ciphers === undefined) return;
  for (const pair of pairs as readonly Required<WrittenPair>[]) {
    const options = contextOptions({ minVersion, ciphers, curves: curves ?? null }, [pair as { cert: string; key: string }]);
    if (!checkContext(options, at, report)) return;
  }
}

interface CheckedPool {
  readonly protocol?: string | undefined;
  readonly tls?: Loose<PoolTls> | undefined;
  readonly health?: readonly (Readonly<Record<string, unknown>> | undefined)[] | undefined;
}

/** What `tls` of a pool and of a probe have in common. */
interface CheckedTerms {
  readonly ca?: string | null | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly verify?: boolean | undefined;
  readonly minVersion?: Loose<PoolTls>['minVersion'];
}

export function checkPoolTls({ protocol, tls, health }: CheckedPool, at: YamlPath, report: CertificateReport): void {
  checkProbesTls(health ?? [], [...at, 'health'], report);
  if (tls === undefined) {
    if (protocol === 'h2') report.fail([...at, 'protocol'], 'h2 is HTTP/2 over TLS, and the pool has no tls', { expected: 'tls: {} beside it, or h2c' });
    return;
  }
  const tlsAt = [...at, 'tls'];
  if (protocol === 'h2c') report.fail([...at, 'protocol'], 'h2c is HTTP/2 in the clear, and the pool has tls', { expected: 'h2, or a pool without tls' });
  for (const check of health ?? []) {
    if (check?.['tls'] !== undefined && check['tls'] !== null) report.fail([...at, 'health'], 'asks for TLS in its own protocol, and the pool begins with it', { expected: 'tls of the pool, or of the probe' });
  }
  checkTerms(tls, tlsAt, report);
}

/** A probe's own, with which it goes on in TLS; `health` is one check, or a list of them. */
function checkProbesTls(health: NonNullable<CheckedPool['health']>, at: YamlPath, report: CertificateReport): void {
  const isList = nodeAt(report.tree, at).kind === 'list';
  for (const [index, check] of health.entries()) {
    const terms = check?.['tls'] as CheckedTerms | null | undefined;
    if (terms !== undefined && terms !== null) checkTerms({ minVersion: 'TLSv1.2', ...terms }, [...at, ...(isList ? [index] : []), 'tls'], report);
  }
}

function checkTerms({ ca, cert, key, verify, minVersion }: CheckedTerms, tlsAt: YamlPath, report: CertificateReport): void {
  if (verify === false) report.warn([...tlsAt, 'verify'], 'false takes any certificate: whoever is in between can be the backend', { expected: 'ca: file:PATH of the authority that signed it' });
  if (ca !== undefined && ca !== null && !checkAuthorities(ca, [...tlsAt, 'ca'], report)) return;
  if ((cert !== undefined || key !== undefined) && !checkPair({ cert, key }, tlsAt, report)) return;
  if (minVersion !== undefined) checkContext(backendContextOptions({ ca: ca ?? null, cert: cert ?? null, key: key ?? null, minVersion }), tlsAt, report);
}

/** OpenSSL has the last word, and says what it minds. */
export function checkContext(options: SecureContextOptions, at: YamlPath, report: CertificateReport): boolean {
  try {
    createSecureContext(options);
    return true;
  } catch (error) {
    const [place, message, hints] = openSslFault(error as NodeJS.ErrnoException, at);
    report.fail(place, told(place, report, message), hints);
    return false;
  }
}

/** What was written there, and what is wrong with it: a path or a variable, never what one of them held, nor a key that stands there itself. */
function told(at: YamlPath, { tree }: CertificateReport, message: string): string {
  const node = nodeAt(tree, at);
  if (node.kind !== 'scalar' || node.source.includes('\n')) return message;
  return at.at(-1) === 'key' && !node.secret && !node.substituted ? message : `\`${node.source}\` ${message}`;
}

function openSslFault({ code = '', message }: NodeJS.ErrnoException, at: YamlPath): [at: YamlPath, message: string, hints?: ProblemHints] {
  if (code === 'ERR_SSL_NO_CIPHER_MATCH' || /cipher/i.test(message)) return [[...at, 'ciphers'], 'names no cipher suite that this runtime has', { expected: 'names as `openssl ciphers` has them' }];
  if (/ecdh|curve|group/i.test(message)) return [[...at, 'curves'], 'names a group that this runtime does not have', { expected: 'names such as X25519:prime256v1' }];
  return [at, `is not taken by OpenSSL: ${message.replace(/^.*:(?=[^:]+$)/s, '').trim()}`];
}

/** True if each of them can be read. */
export function checkAuthorities(pem: string, at: YamlPath, report: CertificateReport): boolean {
  const authorities = readCertificates(pem);
  if (!(authorities instanceof Fault)) return true;
  report.fail(at, told(at, report, authorities.message), authorities.expected === undefined ? {} : { expected: authorities.expected });
  return false;
}

/** True if cert and key can be used together. */
function checkPair({ cert, key }: WrittenPair, at: YamlPath, report: CertificateReport): boolean {
  const certAt = [...at, 'cert'];
  const keyAt = [...at, 'key'];
  const fail = (place: YamlPath, { message, expected }: Fault): false => {
    report.fail(place, told(place, report, message), expected === undefined ? {} : { expected });
    return false;
  };
  if (key !== undefined && !isFromFile(keyAt, report)) return fail(keyAt, new Fault('stands in the config, or in the environment', { expected: 'file:PATH of the key: it is read from there alone' }));
  const chain = cert === undefined ? null : readCertificates(cert);
  if (chain instanceof Fault) return fail(certAt, chain);
  const own = key === undefined ? null : readKey(key);
  if (own instanceof Fault) return fail(keyAt, own);
  if (chain === null || own === null) return false;
  const pair = readPair(chain, own);
  if (pair instanceof Fault) return fail(keyAt, pair);
  checkTime(pair, certAt, report);
  if (pair.names.length === 0) report.warn(certAt, told(certAt, report, 'is a certificate without a name: no client that looks takes it'), { expected: 'a certificate with subjectAltName' });
  return true;
}

export function isFromFile(at: YamlPath, { tree }: CertificateReport): boolean {
  const node = nodeAt(tree, at);
  return node.kind === 'scalar' && node.secret;
}

/** Out of its time it is shown all the same: clients that mind see it, and a config must load on any day. */
export function checkTime({ beginsAtMs, expiresAtMs }: Pick<ReadCertificate, 'beginsAtMs' | 'expiresAtMs'>, at: YamlPath, report: CertificateReport): void {
  const { nowMs } = report;
  const warn = (message: string, expected: string): void => report.warn(at, told(at, report, message), { expected });
  const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
  if (expiresAtMs <= nowMs) warn(`has expired on ${day(expiresAtMs)}`, 'a new certificate: files are followed');
  else if (expiresAtMs - nowMs < EXPIRY_WARNING_MS) warn(`expires on ${day(expiresAtMs)}`, 'a new certificate before then: files are followed');
  else if (beginsAtMs > nowMs) warn(`is not valid before ${day(beginsAtMs)}`, 'a certificate for today, or the right time on this machine');
}
