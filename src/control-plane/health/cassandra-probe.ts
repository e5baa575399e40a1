/**
 * `cassandra`: passes when a node takes a connection of its native protocol
 * (version 4: Cassandra 2.2 and later, ScyllaDB) up to where queries would
 * begin: OPTIONS is answered with SUPPORTED, STARTUP with READY. One that asks
 * for a login serves; with `user` and `password` the login (SASL PLAIN) must
 * be accepted as well. A node that still joins its ring, or is overloaded, says
 * so in an ERROR, whose code is in the reason.
 */
import { z } from 'zod';
import type { ProbeDefinition } from './probe.ts';
import { talk } from './probe-talk.ts';
import { secretOption } from './secret-option.ts';
import { BadAnswer, failed, read, say, type Framing, type Talk, type TalkEnd } from './talk-script.ts';

const HEAD_BYTES = 9;
/** SUPPORTED, the longest, is below 2 KiB. */
const MESSAGE_BYTES_MAX = 32 * 1024;
const VERSION = 4;
const STREAM = 1;
const Opcode = { error: 0x00, startup: 0x01, ready: 0x02, authenticate: 0x03, options: 0x05, supported: 0x06, authChallenge: 0x0e, authResponse: 0x0f, authSuccess: 0x10 } as const;

/** The lowest there is, which every version takes. */
const CQL_VERSION = '3.0.0';

const ERRORS: Readonly<Record<number, string>> = {
  0x0000: 'server error', 0x000a: 'protocol error', 0x0100: 'login refused', 0x1000: 'unavailable', 0x1001: 'overloaded', 0x1002: 'is bootstrapping',
  0x2100: 'unauthorized', 0x2200: 'invalid request',
};

const options = z.strictObject({
  user: z.string().default('').describe('Logs in as this user. Absent: a node that asks for a login passes.'),
  password: secretOption('Password of the user.'),
});

type Options = z.infer<typeof options>;

export const cassandraProbe: ProbeDefinition<Options> = {
  name: 'cassandra',
  summary: 'Passes when a Cassandra node takes a connection up to where queries would begin.',
  options,
  probe: (target, wanted, context) => talk(target, context, cassandraScript(wanted), { secrets: [wanted.password] }),
};

interface Answer {
  readonly opcode: number;
  readonly body: Buffer;
}

export function* cassandraScript({ user, password }: Options): Talk {
  const supported = yield* ask(Opcode.options, Buffer.alloc(0));
  if (supported.opcode === Opcode.error) return refusal(supported.body, true);
  if (supported.opcode !== Opcode.supported) throw unexpected(supported, 'OPTIONS');

  const started = yield* ask(Opcode.startup, Buffer.concat([short(1), string('CQL_VERSION'), string(CQL_VERSION)]));
  if (started.opcode === Opcode.ready) return { passed: true };
  if (started.opcode === Opcode.error) return refusal(started.body, true);
  if (started.opcode !== Opcode.authenticate) throw unexpected(started, 'STARTUP');
  if (user === '') return { passed: true };

  const token = Buffer.from(`\0${user}\0${password}`, 'utf8');
  const login = yield* ask(Opcode.authResponse, Buffer.concat([int(token.length), token]));
  if (login.opcode === Opcode.authSuccess) return { passed: true };
  // What follows a login may repeat it, in whatever form: only the code is shown.
  if (login.opcode === Opcode.error) return refusal(login.body, false);
  if (login.opcode === Opcode.authChallenge) return failed('asks for a login other than by user and password');
  throw unexpected(login, 'the login');
}

function* ask(opcode: number, body: Buffer): Talk<Answer> {
  const head = Buffer.from([VERSION, 0, 0, STREAM, opcode]);
  yield* say(Buffer.concat([head, int(body.length), body]));
  const message = yield* read(framing);
  return { opcode: message[4]!, body: message.subarray(HEAD_BYTES) };
}

/** The first byte tells another protocol before its nonsense of a length does. */
const framing: Framing = (bytes) => {
  const version = bytes[0];
  if (version !== undefined && (version < 0x81 || version > 0x86)) throw new BadAnswer('malformed answer: not the native protocol');
  if (bytes.length < HEAD_BYTES) return 0;
  const length = HEAD_BYTES + bytes.readUInt32BE(5);
  if (length > MESSAGE_BYTES_MAX) throw new BadAnswer(`malformed answer: a message of ${length} bytes`);
  if (bytes.length < length) return 0;
  // An error may come in another version's frame, and on no stream of ours: before the node has read a stream's number there is none.
  if (bytes[4] !== Opcode.error && (version !== (0x80 | VERSION) || bytes.readInt16BE(2) !== STREAM)) throw new BadAnswer('malformed answer: to another request');
  if (bytes[1] !== 0) throw new BadAnswer('malformed answer: flags that were not asked for');
  return length;
};

function refusal(body: Buffer, withMessage: boolean): TalkEnd {
  if (body.length < 6 || body.length < 6 + body.readUInt16BE(4)) throw new BadAnswer('malformed answer: an error cut short');
  const code = body.readUInt32BE(0);
  const text = `${ERRORS[code] ?? 'error'} (0x${code.toString(16).padStart(4, '0')})`;
  const message = body.toString('utf8', 6, 6 + body.readUInt16BE(4));
  return withMessage && message !== '' ? failed(`${text}:`, message) : failed(text);
}

function unexpected({ opcode }: Answer, asked: string): BadAnswer {
  return new BadAnswer(`malformed answer: opcode ${opcode} to ${asked}`);
}

function short(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([short(bytes.length), bytes]);
}
