/**
 * Stands in for a Cassandra node: what it reads and writes goes through the
 * codecs of the official driver, none of ours, and that driver takes it for a
 * node. Debian has no Cassandra.
 */
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { OddBackend } from './odd-backends.ts';

interface FrameHead {
  readonly version: number;
  readonly streamId: number;
  readonly opcode: number;
  readonly bodyLength: number;
}
interface Writer {
  writeInt(value: number): void;
  writeShort(value: number): void;
  writeString(text: string): void;
  writeStringList(list: readonly string[]): void;
  writeBytes(bytes: Buffer | null): void;
  write(version: number, streamId: number, flags?: number): Buffer;
}
interface Reader {
  readString(): string;
  readShort(): number;
  readBytes(): Buffer;
}

const require = createRequire(import.meta.url);
const { FrameWriter } = require('cassandra-driver/lib/writers.js') as { FrameWriter: new (opcode: number) => Writer };
const { FrameReader } = require('cassandra-driver/lib/readers.js') as { FrameReader: new (head: FrameHead, body: Buffer) => Reader };
const { FrameHeader, opcodes } = require('cassandra-driver/lib/types/index.js') as {
  FrameHeader: { size(version: number): number; fromBuffer(bytes: Buffer): FrameHead };
  opcodes: Readonly<Record<string, number>>;
};

/** The driver itself, as far as it opens a connection. */
const Connection = require('cassandra-driver/lib/connection.js') as new (endpoint: string, version: number, options: unknown) => { openAsync(): Promise<void>; closeAsync(): Promise<void> };
const clientOptions = require('cassandra-driver/lib/client-options.js') as { extend(options: object): unknown };
const { auth } = require('cassandra-driver') as { auth: { PlainTextAuthProvider: new (user: string, password: string) => unknown } };

const VERSION = 4;
const HEAD_BYTES = FrameHeader.size(VERSION);
/** Bit of an answer in the first byte. */
const ANSWER = 0x80;

export interface NodeBehaviour {
  /** null: nobody has to log in. */
  readonly login: { readonly user: string; readonly password: string } | null;
  /** STARTUP is answered with this. */
  readonly error?: { readonly code: number; readonly message: string };
}

export class CassandraStandIn {
  behaviour: NodeBehaviour;
  /** What came, in words. */
  readonly requests: unknown[] = [];
  readonly backend: OddBackend;

  private constructor(behaviour: NodeBehaviour, backend: OddBackend) {
    this.behaviour = behaviour;
    this.backend = backend;
  }

  static async start(behaviour: NodeBehaviour = { login: null }): Promise<CassandraStandIn> {
    const made: CassandraStandIn[] = [];
    const backend = await OddBackend.start((socket) => made[0]!.#serve(socket));
    made.push(new CassandraStandIn(behaviour, backend));
    return made[0]!;
  }

  get port(): number {
    return this.backend.port;
  }

  /** Opens a connection with the official driver, and closes it; rejects if the driver does not take this for a node. */
  async welcomeDriver(): Promise<void> {
    const { login } = this.behaviour;
    const authProvider = login === null ? {} : { authProvider: new auth.PlainTextAuthProvider(login.user, login.password) };
    const connection = new Connection(`127.0.0.1:${this.port}`, VERSION, clientOptions.extend({ contactPoints: ['127.0.0.1'], localDataCenter: 'here', ...authProvider }));
    await connection.openAsync();
    await connection.closeAsync();
  }

  #serve(socket: Socket): void {
    let received = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      while (received.length >= HEAD_BYTES) {
        const head = FrameHeader.fromBuffer(received);
        if (received.length < HEAD_BYTES + head.bodyLength) return;
        const reader = new FrameReader(head, received.subarray(HEAD_BYTES, HEAD_BYTES + head.bodyLength));
        received = received.subarray(HEAD_BYTES + head.bodyLength);
        socket.write(this.#answer(head, reader).write(VERSION | ANSWER, head.streamId));
      }
    });
  }

  #answer({ opcode }: FrameHead, reader: Reader): Writer {
    switch (opcode) {
      case opcodes['options']: {
        this.requests.push('OPTIONS');
        return writer('supported', (frame) => {
          frame.writeShort(2);
          frame.writeString('CQL_VERSION');
          frame.writeStringList(['3.4.6']);
          frame.writeString('COMPRESSION');
          frame.writeStringList(['snappy', 'lz4']);
        });
      }
      case opcodes['startup']: {
        const given: Record<string, string> = {};
        for (let left = reader.readShort(); left > 0; left--) given[reader.readString()] = reader.readString();
        this.requests.push({ STARTUP: given });
        const { error, login } = this.behaviour;
        if (error !== undefined) return failure(error.code, error.message);
        return login === null ? writer('ready') : writer('authenticate', (frame) => frame.writeString('org.apache.cassandra.auth.PasswordAuthenticator'));
      }
      case opcodes['authResponse']: {
        const token = reader.readBytes().toString('utf8');
        this.requests.push({ AUTH_RESPONSE: token });
        const { login } = this.behaviour;
        if (token === `\0${login?.user}\0${login?.password}`) return writer('authSuccess', (frame) => frame.writeBytes(null));
        return failure(0x0100, 'Provided username and/or password are incorrect');
      }
      default:
        return failure(0x000a, `opcode ${opcode} is not known here`);
    }
  }
}

function writer(opcode: string, write: (frame: Writer) => void = () => undefined): Writer {
  const frame = new FrameWriter(opcodes[opcode]!);
  write(frame);
  return frame;
}

function failure(code: number, message: string): Writer {
  // The driver's writer holds opcode 0 for one that was forgotten.
  const frame = new FrameWriter(0xff);
  Object.assign(frame, { opcode: opcodes['error'] });
  frame.writeInt(code);
  frame.writeString(message);
  return frame;
}
