/**
 * What the kernel drops at bound UDP sockets before anyone reads it, for want
 * of room in a receive buffer. Linux only, which tells in /proc/net of each
 * socket what it dropped in its life; the counts of sockets that are closed
 * meanwhile are kept here, as of the last look. The runtime does not tell of
 * SO_RXQ_OVFL. Owned by the metrics page, which looks at each scrape.
 */
import { createReadStream } from 'node:fs';
import { isIPv4 } from 'node:net';
import { kernelAddress } from './listening-sockets.ts';

/** `host` null: every address, v4 and v6. */
export interface BoundPort {
  readonly host: string | null;
  readonly port: number;
}

interface Dropping {
  /** Address and port in the kernel's words. */
  readonly local: string;
  readonly drops: number;
}

const TABLES = ['/proc/net/udp', '/proc/net/udp6'] as const;
/** A socket that is not connected: those of sessions are. */
const UNCONNECTED = '07';
const WILDCARDS: readonly (string | null)[] = [null, '0.0.0.0', '::'];

export class UdpLosses {
  /** What each socket had dropped, by its inode. */
  #seen = new Map<string, number>();
  /** Of all sockets that were ever at this address and port. */
  #totals = new Map<string, number>();

  /**
   * Datagrams dropped at each of `listeners`; null: this system does not say.
   * An address that one of them names is not counted for another that has them all.
   */
  async read(listeners: readonly (readonly BoundPort[])[]): Promise<readonly number[] | null> {
    const ports = new Set(listeners.flat().map(({ port }) => portText(port)));
    const tables = await Promise.all(TABLES.map((path) => dropsIn(path, ports)));
    // Without IPv6 there is no table of it; without any, no telling.
    if (tables[0] === null) return null;
    this.#take(new Map(tables.flatMap((table) => [...(table ?? [])])), ports);
    return this.#shared(listeners);
  }

  #take(now: ReadonlyMap<string, Dropping>, ports: ReadonlySet<string>): void {
    const seen = new Map<string, number>();
    for (const [inode, { local, drops }] of now) {
      const before = this.#seen.get(inode) ?? 0;
      // Of two looks at once the later may end first.
      seen.set(inode, Math.max(before, drops));
      this.#totals.set(local, (this.#totals.get(local) ?? 0) + Math.max(0, drops - before));
    }
    this.#seen = seen;
    for (const local of this.#totals.keys()) if (!ports.has(portOf(local))) this.#totals.delete(local);
  }

  #shared(listeners: readonly (readonly BoundPort[])[]): number[] {
    const named = new Set(listeners.flat().flatMap(({ host, port }) => (WILDCARDS.includes(host) ? [] : [localText(host!, port)])));
    const isOf = ({ host, port }: BoundPort, local: string): boolean => {
      if (!WILDCARDS.includes(host)) return local === localText(host!, port);
      return portOf(local) === portText(port) && !named.has(local) && (host === null || isIPv4(host) === isV4(local));
    };
    return listeners.map((binds) => {
      let drops = 0;
      for (const [local, total] of this.#totals) if (binds.some((bind) => isOf(bind, local))) drops += total;
      return drops;
    });
  }
}

/** By inode; null: there is no such table. Read in pieces: of 20,000 sessions it has 2.5 MB. */
async function dropsIn(path: string, ports: ReadonlySet<string>): Promise<ReadonlyMap<string, Dropping> | null> {
  const found = new Map<string, Dropping>();
  let rest = '';
  try {
    for await (const piece of createReadStream(path, { encoding: 'latin1' }) as AsyncIterable<string>) {
      const lines = (rest + piece).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        // `slot: local remote state tx:rx tr:when retransmits uid timeout inode references pointer drops`
        if (!line.includes(` ${UNCONNECTED} `)) continue;
        const [, local, , state, , , , , , inode, , , drops] = line.trim().split(/\s+/);
        if (state === UNCONNECTED && drops !== undefined && ports.has(portOf(local!))) found.set(inode!, { local: local!, drops: Number(drops) });
      }
    }
  } catch {
    return null;
  }
  return found;
}

function localText(host: string, port: number): string {
  return `${kernelAddress(host)}:${portText(port)}`;
}

function portText(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}

function portOf(local: string): string {
  return local.slice(-4);
}

function isV4(local: string): boolean {
  return local.length === '0100007F:0035'.length;
}
