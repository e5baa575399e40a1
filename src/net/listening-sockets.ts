/**
 * How many sockets of this machine (of this network namespace) listen at one
 * address: with SO_REUSEPORT there may be several, of several processes. Linux
 * only, which tells in /proc/net; elsewhere the answer is null.
 */
import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** TCP_LISTEN in the kernel's numbering. */
const LISTEN = '0A';

/** `host` null: every address, v4 and v6. Null: this system does not say. */
export async function listeningSockets(host: string | null, port: number): Promise<number | null> {
  const hosts = host === null ? ['::', '0.0.0.0'] : [host];
  let count = 0;
  for (const each of hosts) {
    const table = await readFile(isIPv4(each) ? '/proc/net/tcp' : '/proc/net/tcp6', 'latin1').catch(() => null);
    // Without IPv6 there is no table of it; without any, no telling.
    if (table === null && isIPv4(each)) return null;
    if (table !== null) count += countIn(table, `${kernelText(each)}:${port.toString(16).toUpperCase().padStart(4, '0')}`);
  }
  return count;
}

/** Lines are `slot: local remote state …`. */
function countIn(table: string, local: string): number {
  let count = 0;
  for (const line of table.split('\n')) {
    const [, address, , state] = line.trim().split(/\s+/, 4);
    if (address === local && state === LISTEN) count += 1;
  }
  return count;
}

/** The address as /proc/net/tcp prints it: words of 32 bits in this machine's order. */
function kernelText(host: string): string {
  const bytes = Buffer.from(ipaddr.parse(host.replace(/%.*$/, '')).toByteArray());
  const words = new Uint32Array(new Uint8Array(bytes).buffer);
  return Array.from(words, (word) => word.toString(16).toUpperCase().padStart(8, '0')).join('');
}
