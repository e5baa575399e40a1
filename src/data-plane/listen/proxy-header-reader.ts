/**
 * Collects the PROXY header in front of one connection, from the reads it
 * comes in. Held by the client's connection until it has its answer. What it
 * keeps is bounded by the header's own limits.
 */
import { parseProxyHeader } from '../../net/proxy-protocol.ts';
import { ProxyHeader, type ProxyResult } from '../../net/proxy-header.ts';

const NO_BYTES = Buffer.alloc(0);

export class ProxyHeaderReader {
  /** Filled after `ok`; its views live as long as the reader. */
  readonly header = new ProxyHeader();
  #held: Buffer = NO_BYTES;

  get hasBytes(): boolean {
    return this.#held.length > 0;
  }

  /** After `ok` what follows the header; after `none` or `bad` all that came. */
  get rest(): Buffer {
    return this.#held.subarray(this.header.headerBytes);
  }

  take(bytes: Buffer): ProxyResult {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    return parseProxyHeader(this.#held, 0, this.#held.length, this.header);
  }
}
