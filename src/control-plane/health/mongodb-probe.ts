/**
 * `mongodb`: passes when a member answers `hello` and serves: a primary, a
 * secondary, a lone server, or a mongos. With `role: primary` only what takes
 * writes passes. `hello` needs no login, so there is none; it needs a server
 * of 4.4.2 or later (4.2.10, 4.0.21 and 3.6.21 have it too).
 */
import { z } from 'zod';
import { readBsonFields, type BsonScalar } from './bson-fields.ts';
import type { ProbeDefinition } from './probe.ts';
import { talk } from './probe-talk.ts';
import { BadAnswer, failed, framed, read, say, type Talk } from './talk-script.ts';

const HEAD_BYTES = 16;
/** An answer to hello is below 2 KiB in a set of fifty members. */
const MESSAGE_BYTES_MAX = 32 * 1024;
const OP_MSG = 2013;
const REQUEST_ID = 1;
/** Section kind 0, which holds the answer, comes after the flags. */
const DOCUMENT_AT = HEAD_BYTES + 5;

/** The message `{ hello: 1, $db: "admin" }`. */
const hello = helloMessage();

const options = z.strictObject({});

interface Options {
  readonly role?: string | undefined;
}

export const mongodbProbe: ProbeDefinition<Options> = {
  name: 'mongodb',
  summary: 'Passes when a MongoDB member answers hello and is a primary or a secondary.',
  options,
  hasRoles: true,
  probe: (target, wanted, context) => talk(target, context, mongodbScript(wanted)),
};

export function* mongodbScript({ role }: Options): Talk {
  yield* say(hello);
  const message = yield* read(framed(HEAD_BYTES, MESSAGE_BYTES_MAX, (bytes) => bytes.readUInt32LE(0)));
  const fields = answerFields(message);
  if (fields.get('ok') !== 1) return failed('refused hello:', refusalText(fields));
  const setName = fields.get('setName');
  if (fields.get('isWritablePrimary') === true) return { passed: true };
  if (fields.get('secondary') === true) return role === 'primary' ? failed('is a secondary') : { passed: true };
  if (fields.get('arbiterOnly') === true) return failed('is an arbiter');
  if (fields.get('isreplicaset') === true) return failed('its replica set is not initiated');
  return failed(setName === undefined ? 'is no primary' : 'is neither primary nor secondary: it starts, recovers, or was removed');
}

function answerFields(message: Buffer): ReadonlyMap<string, BsonScalar> {
  if (message.length < DOCUMENT_AT || message.readUInt32LE(12) !== OP_MSG) throw new BadAnswer('malformed answer: not OP_MSG');
  if (message.readUInt32LE(8) !== REQUEST_ID) throw new BadAnswer('malformed answer: to another request');
  // Every flag would change what follows, and none of them was asked for.
  if (message.readUInt32LE(HEAD_BYTES) !== 0 || message[DOCUMENT_AT - 1] !== 0) throw new BadAnswer('malformed answer: not one document');
  return readBsonFields(message.subarray(DOCUMENT_AT));
}

function refusalText(fields: ReadonlyMap<string, BsonScalar>): string {
  const text = fields.get('errmsg') ?? 'no reason given';
  const name = fields.get('codeName') ?? fields.get('code');
  return name === undefined ? String(text) : `${text} (${name})`;
}

function helloMessage(): Buffer {
  const document = Buffer.from('\x00\x00\x00\x00\x10hello\x00\x01\x00\x00\x00\x02$db\x00\x06\x00\x00\x00admin\x00\x00', 'latin1');
  document.writeInt32LE(document.length, 0);
  const message = Buffer.concat([Buffer.alloc(DOCUMENT_AT), document]);
  message.writeInt32LE(message.length, 0);
  message.writeInt32LE(REQUEST_ID, 4);
  message.writeInt32LE(OP_MSG, 12);
  return message;
}
