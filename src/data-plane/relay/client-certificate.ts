/**
 * What backends are told of a client's verified certificate, in
 * X-Forwarded-Client-Cert as Envoy writes it: elements by name, `;` between
 * them, a value in quotes where it holds what separates. Written once for each
 * connection. Nothing of a certificate can end the line or open another
 * element, whatever its authority has signed.
 */
import type { X509Certificate } from 'node:crypto';
import { alternativeNames, subjectText } from '../../net/certificate-names.ts';

/** Backends take heads of 8 KiB and more; names beyond are left out. */
const LINE_BYTES_MAX = 4096;

export function clientCertificateLine(certificate: Pick<X509Certificate, 'fingerprint256' | 'subject' | 'subjectAltName'>): Buffer {
  let text = `X-Forwarded-Client-Cert: Hash=${certificate.fingerprint256.replaceAll(':', '').toLowerCase()}`;
  const elements = [`Subject=${quoted(subjectText(certificate))}`];
  for (const { kind, value } of alternativeNames(certificate)) {
    if (kind === 'URI' || kind === 'DNS') elements.push(`${kind}=${/[",;=\\]/.test(value) ? quoted(value) : value}`);
  }
  for (const element of elements) {
    if (text.length + element.length + 1 > LINE_BYTES_MAX) break;
    text += `;${element}`;
  }
  return Buffer.from(`${text}\r\n`, 'latin1');
}

/** Letters outside ASCII go as the bytes of UTF-8 that they are. */
function quoted(value: string): string {
  const bytes = Buffer.from(value, 'utf8').toString('latin1');
  return `"${bytes.replaceAll(/[^\x20-\x7e\x80-\xff]/g, ' ').replaceAll(/["\\]/g, (unit) => `\\${unit}`)}"`;
}
