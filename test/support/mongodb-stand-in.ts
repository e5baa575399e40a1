/**
 * Stands in for a MongoDB member: what it reads and writes goes through the
 * codecs of the official driver, none of ours, and that driver takes it for a
 * server. Debian has no MongoDB.
 */
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { BSON } from 'mongodb';
import { OddBackend } from './odd-backends.ts';

interface Header {
  readonly length: number;
  readonly requestId: number;
  readonly responseTo: number;
  readonly opCode: number;
}

/** The driver's own, which it does not export by name. */
const { OpMsgRequest, OpMsgResponse } = createRequire(import.meta.url)('mongodb/lib/cmap/commands.js') as {
  OpMsgRequest: new (database: string, command: BSON.Document, options: object) => { toBin(): Uint8Array[] };
  OpMsgResponse: new (message: Uint8Array, header: Header, body: Uint8Array) => { parse(): Uint8Array };
};

const HEAD_BYTES = 16;

export class MongodbStandIn {
  /** What the next `hello` is answered with. */
  hello: BSON.Document;
  /** Commands that came. */
  readonly commands: BSON.Document[] = [];
  readonly backend: OddBackend;

  private constructor(hello: BSON.Document, backend: OddBackend) {
    this.hello = hello;
    this.backend = backend;
  }

  static async start(hello: BSON.Document): Promise<MongodbStandIn> {
    const made: MongodbStandIn[] = [];
    const backend = await OddBackend.start((socket) => made[0]!.#serve(socket));
    made.push(new MongodbStandIn(hello, backend));
    return made[0]!;
  }

  get port(): number {
    return this.backend.port;
  }

  #serve(socket: Socket): void {
    let received = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      while (received.length >= HEAD_BYTES && received.length >= received.readInt32LE(0)) {
        const message = received.subarray(0, received.readInt32LE(0));
        received = received.subarray(message.length);
        socket.write(this.#answer(message));
      }
    });
  }

  #answer(message: Buffer): Buffer {
    const header: Header = { length: message.length, requestId: message.readInt32LE(4), responseTo: message.readInt32LE(8), opCode: message.readInt32LE(12) };
    const command = BSON.deserialize(new OpMsgResponse(message, header, message.subarray(HEAD_BYTES)).parse());
    this.commands.push(command);
    const { $db, ...rest } = command;
    const answer = Object.keys(rest)[0] === 'hello' ? this.hello : { ok: 1 };
    const bytes = Buffer.concat(new OpMsgRequest(String($db), { ...answer }, {}).toBin());
    // A request and an answer differ in this number alone.
    bytes.writeInt32LE(header.requestId, 8);
    return bytes;
  }
}
