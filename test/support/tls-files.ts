/** A certificate for 127.0.0.1 that has signed itself, made anew by openssl. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

export function makeTlsFiles(folder: string): TlsFiles {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=redis', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`openssl made no certificate: ${made.error?.message ?? made.stderr}`);
  return { cert, key };
}
