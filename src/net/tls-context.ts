/**
 * What OpenSSL is told of a TLS context, in one place: the config's check tries
 * it, workers and probes use it. Renegotiation is off in all of them.
 */
import { constants, createHash } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import { SESSION_S } from './ticket-keys.ts';
import type { TlsVersion } from '../shared/snapshot.ts';

export interface ContextTerms {
  readonly minVersion: TlsVersion;
  readonly ciphers: string;
  /** null: the runtime's. */
  readonly curves: string | null;
  readonly clientAuth?: { readonly ca: string } | null;
  readonly tickets?: boolean;
}

const TLS13_CIPHERS = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';

/** A server's context that shows `pairs`, one for each type of key, and holds clients' certificates to `ca` (PEM). */
export function contextOptions({ minVersion, ciphers, curves, clientAuth = null, tickets = true }: ContextTerms, pairs: readonly { readonly cert: string; readonly key: string }[]): SecureContextOptions {
  return {
    cert: pairs.map(({ cert }) => cert),
    key: pairs.map(({ key }) => key),
    minVersion,
    // The runtime takes a list without one for "no TLS 1.3", which nobody means who lists those of 1.2.
    ciphers: /(^|:)TLS_/.test(ciphers) ? ciphers : `${TLS13_CIPHERS}:${ciphers}`,
    ...(curves === null ? {} : { ecdhCurve: curves }),
    ...(clientAuth === null ? {} : { ca: clientAuth.ca }),
    // A session is taken up again only where the same certificates are asked for: it carries the verdict of then.
    sessionIdContext: createHash('sha256').update(JSON.stringify(clientAuth)).digest('hex').slice(0, 32),
    sessionTimeout: SESSION_S,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | (tickets ? 0 : constants.SSL_OP_NO_TICKET),
  };
}
