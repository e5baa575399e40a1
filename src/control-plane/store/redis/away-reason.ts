/**
 * Why Redis gave no good answer, in a few words for people. Every error that a
 * client of it can raise comes through here: those of the network, of TLS, of
 * the client library, and the replies of Redis, which keep their own words.
 */
const CHARS_MAX = 120;

const NETWORK: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'connection lost',
  EPIPE: 'connection lost',
  ETIMEDOUT: 'no connection in time',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  ENOTFOUND: 'host not found',
  EAI_AGAIN: 'host not found',
};

/** `connection lost` of a client library that says it in its own ways. */
const CLOSED = /Connection is closed|Command aborted|connection close|Socket closed|Stream isn't writeable|None of startup nodes|Cluster is (?:ended|disconnect)|Cluster isn't ready/i;

export function awayReason(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown failure';
  const { code, lastNodeError } = error as { code?: unknown; lastNodeError?: unknown };
  if (lastNodeError instanceof Error) return `no node of the cluster answers: ${awayReason(lastNodeError)}`;
  if (typeof code === 'string' && NETWORK[code] !== undefined) return NETWORK[code];
  if (typeof code === 'string' && /CERT|TLS|SSL|SELF_SIGNED|ISSUER|VERIFY/.test(code)) return `TLS: ${short(error.message)}`;
  if (error.message.startsWith('All sentinels are unreachable')) return sentinelReason(error.message);
  if (CLOSED.test(error.message)) return 'connection lost';
  return short(error.message);
}

function sentinelReason(message: string): string {
  const last = /Last error: (.*)/s.exec(message)?.[1];
  if (last === undefined || last.includes('No such master')) return 'no Sentinel knows the master';
  const code = /\bE[A-Z]+\b/.exec(last)?.[0] ?? '';
  return `no Sentinel answers: ${NETWORK[code] ?? (CLOSED.test(last) ? 'connection lost' : short(last))}`;
}

/** A reply of Redis names the script and line, which says nothing to whoever reads it. */
function short(message: string): string {
  const bare = message
    .replace(/^ERR Error running script \(call to \w+\): @\w+: ?\d+: /, '')
    .replace(/ script: \w+, on @.*$/s, '')
    // eslint-disable-next-line no-control-regex -- control characters are what is to go
    .replaceAll(/[\u0000-\u001f\u007f]+/g, ' ');
  // What a command of many words gets in place of the usual answer.
  if (/unauthenticated (?:multi)?bulk length/.test(bare)) return 'NOAUTH Authentication required.';
  return bare.length > CHARS_MAX ? `${bare.slice(0, CHARS_MAX)}…` : bare;
}

/**
 * Whether to go on over this connection makes no sense: it is broken, or Redis
 * answers that it is not, or no more, the server to talk to.
 */
export function endsConnection(error: unknown): boolean {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return true;
  return /\b(?:READONLY|MASTERDOWN|LOADING|CLUSTERDOWN|MOVED|ASK|TRYAGAIN|CROSSSLOT|NOAUTH|WRONGPASS)\b/.test(error.message);
}
