/**
 * The two messages of grpc.health.v1.Health/Check, and what an answer to one
 * means. Called by grpc-probe.ts with bytes that a backend sent: pure, never
 * throws, and looks at each byte once.
 *
 * Written by hand because it is one field each way: a protobuf library and
 * its compiled schema would be more to keep than these lines.
 *
 *   HealthCheckRequest  { string service = 1; }
 *   HealthCheckResponse { enum status = 1; }   UNKNOWN 0, SERVING 1, NOT_SERVING 2, SERVICE_UNKNOWN 3
 */
import { reasonText } from './reason-text.ts';

/** Before each message: a flag for compression and the length, as 32 bits. */
const PREFIX_BYTES = 5;
const NAME_TAG = 0x0a;
const STATUS_TAG = 0x08;
const VARINT_BYTES_MAX = 10;

/** By number, from 0; https://grpc.github.io/grpc/core/md_doc_statuscodes.html. */
const CODES = [
  'OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS', 'PERMISSION_DENIED', 'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED',
];
const SERVING = 1;
const STATUS_TEXTS = ['serving status unknown', '', 'not serving', 'service unknown'];

/** The request, with its prefix, as one body; '' asks about the server as a whole. */
export function checkRequest(asked: string): Buffer {
  const name = Buffer.from(asked, 'utf8');
  const field = name.length === 0 ? [] : [NAME_TAG, ...varint(name.length)];
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(field.length + name.length, 1);
  return Buffer.concat([prefix, Buffer.from(field), name]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}

/** What came of the call, when the stream has ended. */
export interface CheckAnswer {
  readonly httpStatus: number;
  /** grpc-status, from the trailers, or from the head of an answer that has nothing else. */
  readonly code: string | undefined;
  readonly message: string | undefined;
  readonly body: Buffer;
}

/** Why the answer does not pass; null: it passes. */
export function whyNotServing({ httpStatus, code, message, body }: CheckAnswer, asked: string): string | null {
  if (code === undefined) return httpStatus === 200 ? 'answer without grpc-status' : `HTTP status ${httpStatus}`;
  const number = /^\d{1,2}$/.test(code) ? Number(code) : -1;
  if (number === 0) return whyNotStatus(body);
  const name = CODES[number];
  if (name === undefined) return 'malformed grpc-status';
  if (name === 'UNIMPLEMENTED') return 'has no health service (UNIMPLEMENTED)';
  if (name === 'NOT_FOUND') return asked === '' ? 'NOT_FOUND' : `does not know the service ${JSON.stringify(asked)} (NOT_FOUND)`;
  return message === undefined || message === '' ? name : reasonText(`${name}:`, decoded(message));
}

function whyNotStatus(body: Buffer): string | null {
  const status = readCheckResponse(body);
  if (status === null) return 'malformed answer';
  return status === SERVING ? null : (STATUS_TEXTS[status] ?? `serving status ${status}`);
}

/** The status in a body that holds exactly one message, uncompressed; null: it does not. */
export function readCheckResponse(body: Buffer): number | null {
  if (body.length < PREFIX_BYTES || body[0] !== 0 || body.readUInt32BE(1) !== body.length - PREFIX_BYTES) return null;
  // A field that is not there has its default, and of a repeated one the last counts.
  let status = 0;
  let at = PREFIX_BYTES;
  while (at < body.length) {
    const tag = readVarint(body, at);
    if (tag === null || tag.value < 8) return null;
    at = tag.end;
    const end = fieldEnd(body, at, tag.value & 7);
    if (end === null) return null;
    if (tag.value === STATUS_TAG) status = readVarint(body, at)!.value;
    at = end;
  }
  return status;
}

function fieldEnd(body: Buffer, at: number, wireType: number): number | null {
  let end: number | null = null;
  if (wireType === 0) end = readVarint(body, at)?.end ?? null;
  else if (wireType === 1) end = at + 8;
  else if (wireType === 5) end = at + 4;
  else if (wireType === 2) {
    const length = readVarint(body, at);
    if (length !== null) end = length.end + length.value;
  }
  return end === null || end > body.length ? null : end;
}

function readVarint(body: Buffer, start: number): { readonly value: number; readonly end: number } | null {
  let value = 0;
  for (let at = start; at < body.length && at < start + VARINT_BYTES_MAX; at++) {
    const byte = body[at]!;
    value += (byte & 0x7f) * 2 ** (7 * (at - start));
    if (byte < 0x80) return { value, end: at + 1 };
  }
  return null;
}

/** grpc-message is percent-encoded; one that is not well so is shown as it is. */
function decoded(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}
