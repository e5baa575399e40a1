/**
 * The addresses of this machine's interfaces, as one binds to them. They come
 * and go while a proxy runs (a floating address, a lease, a container's
 * network): whoever keeps sockets at each of them asks again.
 */
import { networkInterfaces } from 'node:os';

export type AddressFamily = 'IPv4' | 'IPv6';

export type ListAddresses = (families: readonly AddressFamily[]) => readonly string[];

/** Link-local ones with their zone, without which they mean nothing. Each once, in the system's order. */
export const ownAddresses: ListAddresses = (families) => {
  const addresses = new Set<string>();
  for (const [name, found] of Object.entries(networkInterfaces())) {
    for (const { address, family } of found ?? []) {
      if (families.includes(family)) addresses.add(isLinkLocal(address) ? `${address}%${name}` : address);
    }
  }
  return [...addresses];
};

/** fe80::/10. IPv4's 169.254.0.0/16 needs no zone. */
function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address);
}
