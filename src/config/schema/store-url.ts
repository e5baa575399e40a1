/**
 * `tier.store` as it may be written: `none`, or where Redis (or Valkey) is. The
 * store's own adapter reads the URL again when it connects; here is only said
 * what an operator got wrong, at its place in the file.
 */
import { Fault } from './notes.ts';

export const STORE_FORM = 'none, redis://HOST:PORT, rediss://HOST:PORT, sentinel://HOST,HOST/MASTER or cluster://HOST,HOST';

const SCHEMES: readonly string[] = ['redis', 'rediss', 'sentinel', 'cluster'];
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?$/;

/** null: it can be used. A fault never shows the password that the URL may hold. */
export function storeUrlFault(value: string): Fault | null {
  if (value === 'none') return null;
  const parts = /^([a-z]+):\/\/(?:[^/]*@)?([^/?@]*)(\/[^?]*)?(?:\?.*)?$/.exec(value);
  if (parts === null || !SCHEMES.includes(parts[1]!)) return new Fault('is not a store');
  const [, scheme, hosts = '', path = ''] = parts;
  const list = hosts.split(',');
  if (list.some((host) => !isHost(host))) return new Fault('does not name its hosts as HOST or HOST:PORT');
  if (list.length > 1 && scheme!.startsWith('redis')) return new Fault('names more than one host', { expected: 'one host; several go with sentinel:// or cluster://' });
  if (scheme === 'sentinel' && !/^\/[A-Za-z0-9._-]+$/.test(path)) return new Fault('does not name the master', { expected: 'sentinel://HOST,HOST/MASTER' });
  if (scheme === 'cluster' && path !== '' && path !== '/') return new Fault('names a database, which a cluster does not have');
  return null;
}

function isHost(text: string): boolean {
  const parts = HOST.exec(text);
  return parts !== null && Number(parts[1] ?? 1) >= 1 && Number(parts[1] ?? 1) <= 65535;
}

/** The URL with its password masked, for people. */
export function shownStoreUrl(value: string): string {
  return value.replace(/^([a-z]+:\/\/[^:@/]*):[^@/]*@/, '$1:***@');
}
