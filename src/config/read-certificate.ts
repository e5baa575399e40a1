/** A certificate and its key as texts of PEM → what must be known of them, or what is wrong. Pure; never throws. No message holds a part of a key. */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { namesOf } from '../net/certificate-names.ts';
import { Fault } from './schema/notes.ts';

export interface ReadCertificate {
  readonly names: readonly string[];
  readonly keyType: string;
  readonly beginsAtMs: number;
  readonly expiresAtMs: number;
}

const BLOCK = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

/** Each of a text's certificates; a Fault if there is none, or one of them cannot be read. */
export function readCertificates(pem: string): readonly X509Certificate[] | Fault {
  const blocks = pem.match(BLOCK) ?? [];
  if (blocks.length === 0) return new Fault('holds no certificate', { expected: 'a block -----BEGIN CERTIFICATE-----' });
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    return new Fault('holds a certificate that is broken', { expected: 'certificates in PEM' });
  }
}

export function readKey(pem: string): KeyObject | Fault {
  if (/-----BEGIN ENCRYPTED|^Proc-Type: 4,ENCRYPTED/m.test(pem)) return new Fault('is a key under a passphrase, and nobody would be there to give it', { expected: 'the key without: openssl pkey -in KEY -out PLAIN' });
  try {
    return createPrivateKey(pem);
  } catch {
    return new Fault('holds no private key that can be read', { expected: 'a block -----BEGIN PRIVATE KEY-----' });
  }
}

/** The pair, whose parts are right by themselves. */
export function readPair(chain: readonly X509Certificate[], key: KeyObject): ReadCertificate | Fault {
  const [own] = chain;
  if (!own!.checkPrivateKey(key)) {
    const isMisplaced = chain.some((certificate) => certificate.checkPrivateKey(key));
    return isMisplaced
      ? new Fault('is the key of another certificate of the chain than the first', { expected: 'the certificate of the key before those that lead to its root' })
      : new Fault('is not the key of the certificate', { expected: 'the key that the certificate was made for' });
  }
  return { names: namesOf(own!), keyType: key.asymmetricKeyType ?? '', beginsAtMs: Date.parse(own!.validFrom), expiresAtMs: Date.parse(own!.validTo) };
}

/** A pair that was found right before. */
export function readCheckedPair(cert: string, key: string): ReadCertificate {
  const chain = readCertificates(cert);
  const own = readKey(key);
  const pair = chain instanceof Fault || own instanceof Fault ? null : readPair(chain, own);
  if (pair === null || pair instanceof Fault) throw new Error('a certificate that was not checked');
  return pair;
}
