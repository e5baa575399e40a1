/** The addresses a proxy can be reached at: those its listeners are bound to; for a wildcard, this machine's own. */
import { networkInterfaces } from 'node:os';
import type { RunningConfig } from '../../observe/metrics-source.ts';

/** Literal IPs, each once. */
export function listenerAddresses({ snapshot }: RunningConfig): readonly string[] {
  const binds = snapshot.listeners.flatMap((listener) => listener.binds.map(({ host }) => host));
  const addresses = new Set<string>();
  for (const host of binds) {
    if (host === null || host === '::') for (const address of ownAddresses(host === null ? null : 'IPv6')) addresses.add(address);
    else if (host === '0.0.0.0') for (const address of ownAddresses('IPv4')) addresses.add(address);
    else addresses.add(host);
  }
  return [...addresses];
}

/** Those that another machine can use: no loopback, and no link-local ones, which mean nothing without an interface. */
function ownAddresses(family: 'IPv4' | 'IPv6' | null): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  const reachable = all.filter((each) => !each.internal && !each.address.startsWith('fe80:') && (family === null || each.family === family));
  return reachable.map(({ address }) => address);
}
