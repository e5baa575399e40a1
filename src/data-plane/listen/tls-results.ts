/** Why a handshake failed, in the few words of its metric. */
import { UnverifiedError } from '../../net/secure-socket.ts';
import type { TlsResult } from '../../shared/counter-pages.ts';

/** By the code OpenSSL's error has in this runtime; the first that fits. */
const RESULTS: readonly (readonly [RegExp, TlsResult])[] = [
  [/UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|VERSION_TOO_LOW|UNKNOWN_PROTOCOL|WRONG_VERSION/, 'version'],
  [/NO_SHARED_CIPHER|NO_SUITABLE_SIGNATURE|NO_SHARED_SIGNATURE|NO_SHARED_GROUP|NO_SUITABLE_KEY_SHARE|NO_SUITABLE_GROUPS/, 'no-cipher'],
  [/NO_APPLICATION_PROTOCOL/, 'no-protocol'],
  [/PEER_DID_NOT_RETURN_A_CERTIFICATE/, 'no-certificate'],
  // What the client sent, and so its word on us.
  [/ALERT/, 'client-alert'],
  [/^(ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH)$/, 'gone'],
];

/** `error` null: the connection ended. */
export function handshakeResult(error: NodeJS.ErrnoException | null): TlsResult {
  if (error === null) return 'gone';
  if (error instanceof UnverifiedError) return 'bad-certificate';
  const code = error.code ?? '';
  return RESULTS.find(([pattern]) => pattern.test(code))?.[1] ?? 'broken';
}

/** The same for people; OpenSSL's own words where they are its. */
export function failureText(error: NodeJS.ErrnoException | null): string {
  const { reason } = (error ?? {}) as { reason?: unknown };
  return error === null ? 'the client went away' : typeof reason === 'string' ? reason : (error.code ?? error.message);
}
