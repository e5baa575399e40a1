/** Checked `tls` of listeners and pools → its spec. The pairs were found right (tls-checks.ts). */
import type { BackendTlsSpec, CertificateSpec, TlsSpec } from '../shared/snapshot.ts';
import { readCheckedPair } from './read-certificate.ts';
import type { PoolTls, Tls } from './schema/tls.ts';
import { SECRET_PREFIX } from './substitute.ts';
import { nodeAt, type YamlNode } from './yaml-tree.ts';

/** `written`: what `certificates` was written as. */
export function compileTls({ certificates, unknownName, minVersion, ciphers, curves, alpn, clientAuth, tickets }: Tls, isHttp: boolean, written: YamlNode): TlsSpec {
  return {
    certificates: certificates.map((pair, index) => compileCertificate(pair, nodeAt(written, [index, 'cert']), index)),
    unknownName,
    minVersion,
    ciphers,
    curves: curves ?? null,
    // A client of HTTP/1.0 that names it gets what it asks for.
    alpn: isHttp && (alpn as readonly string[]).includes('http/1.1') ? [...alpn, 'http/1.0'] : alpn,
    clientAuth: clientAuth.mode === 'off' ? null : { mode: clientAuth.mode, ca: clientAuth.ca! },
    tickets,
  };
}

export function compilePoolTls({ ca, serverName, cert, key, verify, minVersion }: PoolTls): BackendTlsSpec {
  return { ca: ca ?? null, serverName: serverName ?? null, cert: cert ?? null, key: key ?? null, verify, minVersion };
}

function compileCertificate({ cert, key }: Tls['certificates'][number], written: YamlNode, index: number): CertificateSpec {
  const { names, keyType, expiresAtMs } = readCheckedPair(cert, key);
  const isFile = written.kind === 'scalar' && written.secret;
  return { label: isFile ? written.source.slice(SECRET_PREFIX.length) : `certificates[${index}]`, cert, key, names, keyType, expiresAtMs };
}
