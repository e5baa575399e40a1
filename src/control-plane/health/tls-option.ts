/**
 * `tls` of a probe type whose protocol begins in the clear and asks for TLS by
 * itself: to whom it is spoken. Absent: it stays in the clear. A pool's own
 * `tls` is another thing: it begins with the connection, for any protocol.
 */
import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { optionalSecret } from './secret-option.ts';
import type { BackendTlsSpec, HealthSpec } from '../../shared/snapshot.ts';

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** One at least, and all of them whole. */
function areCertificates(pem: string): boolean {
  const blocks = pem.match(BLOCK) ?? [];
  try {
    for (const block of blocks) new X509Certificate(block);
  } catch {
    return false;
  }
  return blocks.length > 0;
}

export const tlsOption = z
  .strictObject({
    ca: z.string().refine(areCertificates, { error: 'holds no certificate that can be read' }).nullable().default(null).describe('file:PATH of the authorities whose certificates are taken, in PEM; absent: those that the runtime comes with.'),
    serverName: z.string().regex(/^[A-Za-z0-9._-]{1,253}$/, { error: 'not a host name' }).nullable().default(null).describe("The name that is asked for, and that the certificate must be for; absent: the backend's own name or address."),
    // What came later has no default: it is in the name of no check that does not have it, whatever release a member has.
    cert: z.string().refine(areCertificates, { error: 'holds no certificate that can be read' }).optional().describe('file:PATH of the certificate that is shown to a server that asks for one, itself before those that lead to its root, in PEM.'),
    key: optionalSecret('file:PATH of its private key in PEM; only ever from a file, and never shown.'),
    verify: z.boolean().default(true).describe('false takes any certificate, and so anyone for the backend: then without a password.'),
  })
  .refine(({ cert, key }) => (cert === undefined) === (key === undefined), { error: 'has one of cert and key without the other', params: { expected: 'both, or neither' } })
  .nullable()
  .default(null)
  .describe('Goes on in TLS, as the protocol has it, before a user or a password is told. Absent: in the clear.');

/** Of a checked health spec; null: it asks for none. */
export function startTlsOf({ options }: Pick<HealthSpec, 'options'>): BackendTlsSpec | null {
  const tls = options['tls'] as z.infer<typeof tlsOption> | undefined;
  return tls === null || tls === undefined ? null : { ...tls, cert: tls.cert ?? null, key: tls.key ?? null, minVersion: 'TLSv1.2' };
}
