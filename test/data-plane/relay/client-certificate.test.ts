/** X-Forwarded-Client-Cert of certificates as odd as an authority may sign them. */
import { describe, expect, it } from 'vitest';
import { clientCertificateLine } from '../../../src/data-plane/relay/client-certificate.ts';

const line = (subject: string, subjectAltName?: string): string => clientCertificateLine({ fingerprint256: 'AB:CD', subject, subjectAltName }).toString('latin1');

describe('the line of a certificate', () => {
  it('has its fingerprint and its subject, whatever that holds', () => {
    expect(line('O=Ex\nCN=a')).toBe('X-Forwarded-Client-Cert: Hash=abcd;Subject="CN=a,O=Ex"\r\n');
    expect(line('')).toBe('X-Forwarded-Client-Cert: Hash=abcd;Subject=""\r\n');
    expect(line('CN=a";Hash=ff;X="')).toBe('X-Forwarded-Client-Cert: Hash=abcd;Subject="CN=a\\";Hash=ff;X=\\""\r\n');
    expect(line('CN=a\r\x00b')).toBe('X-Forwarded-Client-Cert: Hash=abcd;Subject="CN=a  b"\r\n');
    expect(line('CN=é')).toBe(`X-Forwarded-Client-Cert: Hash=abcd;Subject="CN=${Buffer.from('é').toString('latin1')}"\r\n`);
  });

  it('has names of hosts and services, in quotes where they hold what separates', () => {
    expect(line('CN=a', 'DNS:a.example, URI:"spiffe://x/y,z;w=1", email:a@b, IP Address:1.2.3.4')).toBe('X-Forwarded-Client-Cert: Hash=abcd;Subject="CN=a";DNS=a.example;URI="spiffe://x/y,z;w=1"\r\n');
  });

  it('ends before it is too long for a head', () => {
    const many = Array.from({ length: 1000 }, (_, i) => `DNS:host-${i}.example`).join(', ');
    const text = line('CN=a', many);
    expect(text.length).toBeLessThan(4200);
    expect(text).toMatch(/;DNS=host-0\.example;.*;DNS=host-\d+\.example\r\n$/);
  });
});
