/** What went wrong in TLS with a peer that we called, in a few words for people. */

/** `code` is that of a socket's 'error'; null: it is none of TLS. */
export function tlsFailureText(error: unknown, code: string): string | null {
  const known = VERIFICATION[code];
  if (known !== undefined) return `its certificate was refused: ${known}`;
  if (!code.startsWith('ERR_SSL_') && !code.startsWith('ERR_TLS_') && code !== 'EPROTO') return null;
  const { reason } = error as { reason?: unknown };
  return `TLS failed: ${typeof reason === 'string' ? reason : code}`;
}

const VERIFICATION: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'it has expired',
  CERT_NOT_YET_VALID: 'it is not valid yet',
  CERT_REVOKED: 'it was revoked',
  CERT_SIGNATURE_FAILURE: 'its signature is wrong',
  CERT_UNTRUSTED: 'it is not trusted for this',
  CERT_CHAIN_TOO_LONG: 'its chain is too long',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it has signed itself, and ca does not have it',
  ERR_TLS_CERT_ALTNAME_FORMAT: 'its names cannot be read',
  ERR_TLS_CERT_ALTNAME_INVALID: 'it is for another name',
  INVALID_CA: 'one that signed it is no authority',
  INVALID_PURPOSE: 'it is not for servers',
  SELF_SIGNED_CERT_IN_CHAIN: 'its authority is not in ca',
  UNABLE_TO_GET_ISSUER_CERT: 'its authority is not in ca',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its authority is not in ca',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its authority is not in ca',
};
