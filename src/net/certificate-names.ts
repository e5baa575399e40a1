/**
 * The names in a certificate. Pure. Node tells a certificate's alternative
 * names as one text; what stands in quotes there is a JSON string, so that no
 * name can pass for two. A name with a letter that none has in practice is left
 * out: it must not reach a log, a field or a look-up.
 */
import type { X509Certificate } from 'node:crypto';

export interface AlternativeName {
  /** `DNS`, `URI`, `IP Address`, `email` … */
  readonly kind: string;
  readonly value: string;
}

const ENTRY = /(?:^|, )([A-Za-z][A-Za-z ]*):("(?:[^"\\]|\\.)*"|[^,"]*)/y;

export function alternativeNames(certificate: Pick<X509Certificate, 'subjectAltName'>): AlternativeName[] {
  const text = certificate.subjectAltName ?? '';
  const names: AlternativeName[] = [];
  ENTRY.lastIndex = 0;
  while (ENTRY.lastIndex < text.length) {
    const entry = ENTRY.exec(text);
    // In a form that is not known: what follows could be read in two ways.
    if (entry === null) return names;
    const [, kind, written] = entry as unknown as [string, string, string];
    const value = written.startsWith('"') ? unquoted(written) : written;
    if (value !== null && /^[\x21-\x7e]+$/.test(value)) names.push({ kind, value });
  }
  return names;
}

function unquoted(text: string): string | null {
  try {
    return String(JSON.parse(text));
  } catch {
    return null;
  }
}

/** What clients may ask for that the certificate is for, in lower case; without any alternative name its common name (RFC 6125 §6.4.4). */
export function namesOf(certificate: Pick<X509Certificate, 'subjectAltName' | 'subject'>): string[] {
  const names = alternativeNames(certificate).filter(({ kind }) => kind === 'DNS' || kind === 'IP Address');
  if (names.length > 0) return [...new Set(names.map(({ value }) => value.toLowerCase().replace(/\.$/, '')))];
  const byName = /^CN=([\x21-\x7e]+)$/m.exec(certificate.subject ?? '');
  return byName === null || certificate.subjectAltName !== undefined ? [] : [byName[1]!.toLowerCase()];
}

/** The name that covers `host` with a star for its first label; '' if none could. */
export function wildcardOf(host: string): string {
  const dot = host.indexOf('.');
  return dot <= 0 ? '' : `*${host.slice(dot)}`;
}

/** The subject as RFC 4514 writes it: the most particular part first. Node writes one part a line, each escaped so. */
export function subjectText(certificate: Pick<X509Certificate, 'subject'>): string {
  return (certificate.subject ?? '').split('\n').filter((line) => line !== '').reverse().join(',');
}
