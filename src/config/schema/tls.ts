/**
 * TLS of a listener: the certificates it shows, and what it speaks. Texts of
 * PEM are taken as they are here; whether they are certificates, and keys of
 * them, is judged when the whole config is known (tls-checks.ts).
 */
import { z } from 'zod';
import { choice, choiceOrOff, flag, text } from './leaves.ts';
import { broken } from './rules.ts';
import { Fault, note } from './notes.ts';

const PEM = /-----BEGIN [A-Z0-9 ]+-----/;
/** Written without `file:`. What a file held never looks so. */
const PATH = /^[\w./-]{1,200}\.(pem|crt|cer|key)$/;

function pem(expected: string): z.ZodType<string, string> {
  return text(expected, (value) => (PEM.test(value) ? null : new Fault('is not PEM', { expected, ...(PATH.test(value) ? { suggestion: `file:${value}` } : {}) })));
}

/** As OpenSSL separates them. */
const NAMES = /^[A-Za-z0-9!+\-@_=.]+(:[A-Za-z0-9!+\-@_=.]+)*$/;

function nameList(expected: string): z.ZodType<string, string> {
  return text(expected, (value) => (NAMES.test(value) ? null : new Fault('is not a list of names with ":" between them')));
}

const certificate = z.strictObject({
  cert: pem('file:PATH of certificates in PEM, or the certificates themselves').describe('The certificate and those that lead to its root, itself first.'),
  key: note(pem('file:PATH of a private key in PEM'), { secret: true }).describe('Its private key; only ever from a file, and never shown.'),
});

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;
/** None of them without forward secrecy, or with a mode of CBC. */
export const CIPHERS_DEFAULT =
  'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305';

export const minVersion = choice(VERSIONS).prefault('TLSv1.2').describe('Oldest version that is spoken.');

const clientAuth = z
  .strictObject({
    mode: choiceOrOff(['request', 'require']).prefault('require').describe('request: a client may show a certificate; require: it must. One that is shown has to be right.'),
    ca: pem('file:PATH of certificates in PEM').optional().describe('The authorities whose certificates are taken; no others are.'),
  })
  .check((context) => {
    if (context.value.mode !== 'off' && context.value.ca === undefined) broken(context, [], 'has no ca to hold certificates to', { expected: 'ca: file:PATH of the authorities' });
  });

const shared = {
  certificates: z.array(certificate).min(1).describe('Chosen by the name the client asks for, exact names before wildcards; of those for one name the first of each type of key. The first of all is shown to who asks for no name, or for one that is not there.'),
  unknownName: choice(['default', 'refuse']).prefault('default').describe('What becomes of a client that asks for no name, or for one of no certificate: the first certificate, or no handshake.'),
  minVersion,
  ciphers: nameList('names of cipher suites as OpenSSL has them, with ":" between them').prefault(CIPHERS_DEFAULT).describe('Cipher suites. Without one of TLS 1.3 its usual ones are added.'),
  curves: nameList('names of groups as OpenSSL has them, with ":" between them').optional().describe('Groups for the key exchange; absent: those of the runtime, post-quantum ones too.'),
  clientAuth: clientAuth.prefault({ mode: 'off' }).describe('Certificates of clients; their verified identity goes to backends in X-Forwarded-Client-Cert.'),
  tickets: flag().prefault(true).describe('Session tickets: a client takes its session up again, in any worker, and with --tier-key at any proxy of the tier, for two hours.'),
};

export const httpTls = z.strictObject({
  ...shared,
  alpn: z.array(choice(['h2', 'http/1.1'])).min(1).prefault(['h2', 'http/1.1']).describe('Protocols, the preferred first.'),
});

const protocol = text('an ALPN protocol such as imap', (value) => (value === '' || Buffer.byteLength(value) > 255 ? new Fault('is not 1 to 255 bytes long') : null));

export const tcpTls = z.strictObject({
  ...shared,
  alpn: z.array(protocol).prefault([]).describe('Protocols, the preferred first; a client that offers others only is refused. Empty: none is agreed on.'),
});

export const poolTls = z
  .strictObject({
    ca: pem('file:PATH of certificates in PEM').optional().describe('The authorities whose certificates are taken; absent: those that the runtime comes with.'),
    serverName: text('a host name', (value) => (/^[A-Za-z0-9._-]{1,253}$/.test(value) ? null : new Fault('is not a host name'))).optional().describe("The name that is asked for, and that the certificate must be for; absent: the backend's own name or address."),
    cert: pem('file:PATH of certificates in PEM').optional().describe('What backends are shown that ask for a certificate, itself before those that lead to its root.'),
    key: note(pem('file:PATH of a private key in PEM'), { secret: true }).optional().describe('Its private key; only ever from a file, and never shown.'),
    verify: flag().prefault(true).describe('false takes any certificate, and so anyone for the backend.'),
    minVersion,
  })
  .check((context) => {
    const { cert, key } = context.value;
    if ((cert === undefined) !== (key === undefined)) broken(context, [], cert === undefined ? 'has a key without cert' : 'has a cert without key', { expected: 'both, or neither' });
  });

export type PoolTls = z.output<typeof poolTls>;

export type Tls = z.output<typeof httpTls> | z.output<typeof tcpTls>;
