/** As much of RFC 6455 as an echo of short messages needs: one unfragmented binary frame a message, below 64 KiB. */
import { createHash } from 'node:crypto';

const BINARY_FINAL = 0x82;
const MASKED = 0x80;
const SHORT_MAX = 125;
const LONG_MARK = 126;
const MASK_BYTES = 4;
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export function acceptFor(key: string): string {
  return createHash('sha1').update(key + GUID).digest('base64');
}

/** A frame as a client sends it (with `mask`) or a backend (without). */
export function encodeFrame(payload: Buffer, mask: Buffer | null): Buffer {
  const flag = mask === null ? 0 : MASKED;
  const head = payload.length <= SHORT_MAX ? Buffer.from([BINARY_FINAL, flag | payload.length]) : Buffer.from([BINARY_FINAL, flag | LONG_MARK, payload.length >> 8, payload.length & 255]);
  if (mask === null) return Buffer.concat([head, payload]);
  return Buffer.concat([head, mask, payload.map((byte, i) => byte ^ mask[i % MASK_BYTES]!)]);
}

/** The backend's half of the echo: gives back each message of a client, unmasked. */
export class FrameEcho {
  private pending: Buffer = Buffer.alloc(0);

  /** The frames to send for what came; null: no frame is whole yet. Throws for a frame that is not masked. */
  take(chunk: Buffer): Buffer | null {
    let bytes = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    const out: Buffer[] = [];
    for (;;) {
      if (bytes.length < 2) break;
      if ((bytes[1]! & MASKED) === 0) throw new Error('a frame of a client without mask');
      const short = bytes[1]! & ~MASKED;
      const maskAt = short === LONG_MARK ? 4 : 2;
      if (bytes.length < maskAt) break;
      const length = short === LONG_MARK ? bytes.readUInt16BE(2) : short;
      const payloadAt = maskAt + MASK_BYTES;
      if (bytes.length < payloadAt + length) break;
      const payload = Buffer.allocUnsafe(length);
      for (let i = 0; i < length; i++) payload[i] = bytes[payloadAt + i]! ^ bytes[maskAt + (i & 3)]!;
      out.push(encodeFrame(payload, null));
      bytes = bytes.subarray(payloadAt + length);
    }
    this.pending = bytes;
    return out.length === 0 ? null : out.length === 1 ? out[0]! : Buffer.concat(out);
  }
}
