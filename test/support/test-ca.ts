/** A certificate authority of a test's own, and what it signs: made by openssl in a folder, anew each time. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCheckedPair } from '../../src/config/read-certificate.ts';
import { CIPHERS_DEFAULT } from '../../src/config/schema/tls.ts';
import type { CertificateSpec, TlsSpec } from '../../src/shared/snapshot.ts';

export interface Issued {
  /** Paths. */
  readonly certFile: string;
  readonly keyFile: string;
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface IssueTerms {
  readonly names?: readonly string[];
  readonly type?: 'ec' | 'rsa';
  readonly subject?: string;
  readonly days?: number;
  /** Extended key usage. */
  readonly usage?: string;
}

export class TestCa {
  readonly folder = mkdtempSync(join(tmpdir(), 'weir-ca-'));
  readonly root: Issued;
  #count = 0;

  constructor(name = 'Test CA') {
    this.root = this.#make('ca', { subject: `/CN=${name}` }, ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign']);
  }

  /** PEM of the root: what clients trust. */
  get ca(): string {
    return this.root.cert;
  }

  /** `names`: of hosts, or with a type (`URI:spiffe://a/b`). */
  issue({ names = ['localhost'], usage, ...terms }: IssueTerms = {}): Issued {
    const alternatives = names.map((name) => (name.includes(':') ? name : `DNS:${name}`)).join(',');
    const { certFile, keyFile } = this.root;
    return this.#make(`leaf-${++this.#count}`, terms, ['-CA', certFile, '-CAkey', keyFile, ...(names.length === 0 ? [] : ['-addext', `subjectAltName=${alternatives}`]), ...(usage === undefined ? [] : ['-addext', `extendedKeyUsage=${usage}`])]);
  }

  write(name: string, text: string): string {
    const file = join(this.folder, name);
    writeFileSync(file, text);
    return file;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #make(name: string, { type = 'ec', subject = `/CN=${name}`, days = 30 }: IssueTerms, more: readonly string[]): Issued {
    const [certFile, keyFile] = [join(this.folder, `${name}.crt`), join(this.folder, `${name}.key`)];
    const algorithm = type === 'ec' ? ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'] : ['-newkey', 'rsa:2048'];
    const made = spawnSync('openssl', ['req', '-x509', ...algorithm, '-nodes', '-days', String(days), '-subj', subject, '-keyout', keyFile, '-out', certFile, ...more], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`openssl made no certificate: ${made.error?.message ?? made.stderr}`);
    return { certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  }
}

/** A listener's `tls` as the config's loader makes it. */
export function makeTls(issued: readonly Pick<Issued, 'cert' | 'key'>[], patch: Partial<TlsSpec> = {}): TlsSpec {
  const certificates = issued.map(({ cert, key }, index): CertificateSpec => {
    const { names, keyType, expiresAtMs } = readCheckedPair(cert, key);
    return { label: `certificates[${index}]`, cert, key, names, keyType, expiresAtMs };
  });
  return { certificates, unknownName: 'default', minVersion: 'TLSv1.2', ciphers: CIPHERS_DEFAULT, curves: null, alpn: ['http/1.1', 'http/1.0'], clientAuth: null, tickets: true, ...patch };
}
