/**
 * Takes a ClientHello out of the TLS records it comes in (RFC 8446 §5.1),
 * however it is spread over records and over reads. Pure, no clock. Each byte
 * is looked at once, so a client that sends one at a time costs no more for
 * each; it only reads what its caller keeps and passes on unchanged.
 *
 * What is no TLS (HTTP in the clear, an SSLv2 hello, garbage) is told by its
 * first bytes. A hello in one record and one read, which nearly all are, is
 * parsed where it lies; only one in pieces is copied together.
 */
import { HANDSHAKE_HEADER_BYTES, HELLO_BYTES_MAX, parseClientHello, type ClientHello } from './client-hello.ts';

/** `more`: not whole yet. `none`: no TLS. `bad`: TLS, but no ClientHello that can be read. */
export type HelloResult = 'more' | 'none' | 'bad' | 'ok';

/** All its bytes with those of the records around them. Many tiny records could otherwise make us hold several times HELLO_BYTES_MAX. */
export const HELLO_RECORDS_BYTES_MAX = 2 * HELLO_BYTES_MAX;

const RECORD_BYTES_MAX = 16 * 1024;
const HANDSHAKE_RECORD = 22;
const MAJOR_VERSION = 3;
const CLIENT_HELLO = 1;

const FIRST_COPY_BYTES = 2 * 1024;

export class HelloRecords {
  #seenBytes = 0;
  /** Bytes of the header of the current record that have come. */
  #headerBytes = 0;
  #recordLength = 0;
  /** Of the current record, still to come. */
  #payloadLeft = 0;
  /** The message so far; null while none of it had to be copied. */
  #copy: Buffer | null = null;
  #copied = 0;
  #result: HelloResult = 'more';

  /** Takes what came next. After anything but `more` it has nothing further to say; after `ok` `into` is filled. */
  read(bytes: Buffer, start: number, end: number, into: ClientHello): HelloResult {
    if (this.#result !== 'more') return this.#result;
    this.#result = this.#read(bytes, start, end, into);
    if (this.#result !== 'more') this.#copy = null;
    return this.#result;
  }

  #read(bytes: Buffer, start: number, end: number, into: ClientHello): HelloResult {
    for (let at = start; at < end; ) {
      if (this.#payloadLeft === 0) {
        const problem = this.#takeHeaderByte(bytes[at++]!);
        if (problem !== null) return problem;
        continue;
      }
      const taken = Math.min(this.#payloadLeft, end - at);
      const result = this.#takePayload(bytes, at, at + taken, into);
      if (result !== 'more') return result;
      at += taken;
    }
    return 'more';
  }

  /** null: so far it may be one. */
  #takeHeaderByte(byte: number): HelloResult | null {
    const isFirst = this.#seenBytes === this.#headerBytes;
    this.#seenBytes++;
    switch (this.#headerBytes++) {
      case 0:
        return byte === HANDSHAKE_RECORD ? null : isFirst ? 'none' : 'bad';
      case 1:
        return byte === MAJOR_VERSION ? null : isFirst ? 'none' : 'bad';
      case 2:
        // The minor version says nothing (RFC 8446 §5.1: "MUST be ignored for all purposes").
        return null;
      case 3:
        this.#recordLength = byte << 8;
        return this.#recordLength > RECORD_BYTES_MAX ? (isFirst ? 'none' : 'bad') : null;
      default:
        this.#headerBytes = 0;
        this.#payloadLeft = this.#recordLength | byte;
        if (this.#payloadLeft === 0 || this.#payloadLeft > RECORD_BYTES_MAX || this.#seenBytes + this.#payloadLeft > HELLO_RECORDS_BYTES_MAX) return 'bad';
        return null;
    }
  }

  #takePayload(bytes: Buffer, from: number, to: number, into: ClientHello): HelloResult {
    const isFirst = this.#copied === 0;
    if (isFirst && bytes[from] !== CLIENT_HELLO) return 'bad';
    // Whole, and in one piece.
    if (isFirst && to - from >= HANDSHAKE_HEADER_BYTES) {
      const messageEnd = from + messageBytes(bytes, from);
      if (messageEnd - from > HELLO_BYTES_MAX) return 'bad';
      if (messageEnd <= to) return parseClientHello(bytes, from, messageEnd, into) ? 'ok' : 'bad';
    }
    this.#append(bytes, from, to);
    this.#payloadLeft -= to - from;
    this.#seenBytes += to - from;
    if (this.#copied < HANDSHAKE_HEADER_BYTES) return 'more';
    const wanted = messageBytes(this.#copy!, 0);
    if (wanted > HELLO_BYTES_MAX) return 'bad';
    if (this.#copied < wanted) return 'more';
    return parseClientHello(this.#copy!, 0, wanted, into) ? 'ok' : 'bad';
  }

  #append(bytes: Buffer, from: number, to: number): void {
    const needed = this.#copied + to - from;
    if (this.#copy === null || needed > this.#copy.length) {
      const grown = Buffer.allocUnsafe(Math.max(FIRST_COPY_BYTES, 2 * needed));
      this.#copy?.copy(grown, 0, 0, this.#copied);
      this.#copy = grown;
    }
    bytes.copy(this.#copy, this.#copied, from, to);
    this.#copied = needed;
  }
}

/** As the header of the message at `at` has it, that header included. */
function messageBytes(bytes: Buffer, at: number): number {
  return HANDSHAKE_HEADER_BYTES + bytes.readUIntBE(at + 1, 3);
}
