/** Whether what a connection began with is HTTP/2 (RFC 9113 §3.3). Asked only when it cannot be HTTP/1.1. */
import type { ListenerSpec } from '../../shared/snapshot.ts';
import { VERSION_UNSUPPORTED } from '../parse/bytes.ts';
import { PREFACE } from '../parse/http2-frames.ts';

/** `result` is what the parser of heads said. Its line and the empty one behind it tell; the rest of the preface may still come. */
const TELLING_BYTES = 18;

export function asksForHttp2(spec: ListenerSpec, result: number, bytes: Buffer, start: number, end: number): boolean {
  if (result !== VERSION_UNSUPPORTED || !spec.http2) return false;
  const length = Math.min(TELLING_BYTES, end - start);
  return bytes.compare(PREFACE, 0, length, start, start + length) === 0;
}
