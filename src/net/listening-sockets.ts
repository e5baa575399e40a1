/**
 * How many sockets of this machine (of this network namespace) listen at one
 * address: with SO_REUSEPORT there may be several, of several processes. Linux
 * only, which tells in /proc/net; elsewhere the answer is null.
 */
import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Transport } from './exclusive-bind.ts';

/** In the kernel's numbering: TCP_LISTEN, and for UDP TCP_CLOSE, which is a socket that is not connected. */
const WAITING: Readonly<Record<Transport, string>> = { tcp: '0A', udp: '07' };

/**
 * `host` null: every address, v4 and v6, which TCP does with one socket and
 * UDP with one a family: there the larger count is told. Null: this system
 * does not say.
 */
export async function listeningSockets(host: string | null, port: number, transport: Transport = 'tcp'): Promise<number | null> {
  const hosts = host === null ? ['::', '0.0.0.0'] : [host];
  const counts: number[] = [];
  for (const each of hosts) {
    const table = await readFile(`/proc/net/${transport}${isIPv4(each) ? '' : '6'}`, 'latin1').catch(() => null);
    // Without IPv6 there is no table of it; without any, no telling.
    if (table === null && isIPv4(each)) return null;
    const local = `${kernelAddress(each)}:${port.toString(16).toUpperCase().padStart(4, '0')}`;
    if (table !== null) counts.push(countIn(table, local, WAITING[transport]));
  }
  return transport === 'udp' ? Math.max(...counts) : counts.reduce((sum, count) => sum + count, 0);
}

/** Lines are `slot: local remote state …`. */
function countIn(table: string, local: string, waiting: string): number {
  let count = 0;
  for (const line of table.split('\n')) {
    const [, address, , state] = line.trim().split(/\s+/, 4);
    if (address === local && state === waiting) count += 1;
  }
  return count;
}

/** The address as /proc/net/tcp prints it, without its zone: words of 32 bits in this machine's order. */
export function kernelAddress(host: string): string {
  const bytes = Buffer.from(ipaddr.parse(host.replace(/%.*$/, '')).toByteArray());
  const words = new Uint32Array(new Uint8Array(bytes).buffer);
  return Array.from(words, (word) => word.toString(16).toUpperCase().padStart(8, '0')).join('');
}
