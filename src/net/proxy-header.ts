/**
 * What the two versions of the PROXY protocol can say: the words their parsers
 * (proxy-v1.ts, proxy-v2.ts) and proxy-protocol.ts have in common.
 */

/** Who is at the two ends of a client's connection: literal IP addresses. */
export interface ProxyEnds {
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly destinationAddress: string;
  readonly destinationPort: number;
}

/** `more`: not whole yet. `none`: no header. `bad`: a header that is broken. */
export type ProxyResult = 'more' | 'none' | 'bad' | 'ok';

export const V1_SIGNATURE = Buffer.from('PROXY ', 'latin1');
export const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

/** Opaque, and no longer than this (proxy-protocol.txt §2.2.5). */
export const UNIQUE_ID_BYTES_MAX = 128;

/** The types of version 2's additions that we read or write. */
export const TLV = { alpn: 0x01, authority: 0x02, checksum: 0x03, uniqueId: 0x05, ssl: 0x20, netns: 0x30 } as const;

/** Filled by `parseProxyHeader`. Views point into the bytes it was given, and live as long as those. */
export class ProxyHeader {
  version = 0;
  /** What follows belongs to the client. */
  headerBytes = 0;
  /** It names nobody (LOCAL, UNKNOWN, UNSPEC, a UNIX socket): the connection's own ends count. */
  isLocal = true;
  /** UDP4 or UDP6: the client spoke datagrams. */
  isDatagram = false;
  sourceAddress = '';
  sourcePort = 0;
  destinationAddress = '';
  destinationPort = 0;
  /** null: absent. Each can be there once. */
  alpn: Buffer | null = null;
  authority: Buffer | null = null;
  uniqueId: Buffer | null = null;
  ssl: Buffer | null = null;
  netns: Buffer | null = null;
  /** A checksum was there, and right. */
  isChecked = false;

  reset(): void {
    this.version = 0;
    this.headerBytes = 0;
    this.isLocal = true;
    this.isDatagram = false;
    this.sourceAddress = '';
    this.sourcePort = 0;
    this.destinationAddress = '';
    this.destinationPort = 0;
    this.alpn = this.authority = this.uniqueId = this.ssl = this.netns = null;
    this.isChecked = false;
  }
}
