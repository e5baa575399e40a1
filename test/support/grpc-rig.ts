/** A gRPC service of all four kinds of call, by the official library, whose messages are plain bytes. */
import {
  Client, credentials, Metadata, Server, ServerCredentials, status, type sendUnaryData, type ServerDuplexStream, type ServerReadableStream, type ServerUnaryCall, type ServerWritableStream, type ServiceDefinition,
} from '@grpc/grpc-js';
import { afterEach } from 'vitest';

const bytes = (value: Buffer): Buffer => value;
const method = (name: string, requestStream: boolean, responseStream: boolean): ServiceDefinition[string] => ({
  path: `/test.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
});

const definition = {
  once: method('once', false, false),
  many: method('many', false, true),
  gather: method('gather', true, false),
  chat: method('chat', true, true),
};

const toStop: (() => void)[] = [];
afterEach(() => {
  for (const stop of toStop.splice(0)) stop();
});

export interface GrpcBackend {
  readonly port: number;
  readonly calls: string[];
  /** What came with each `once`. */
  readonly metadata: Metadata[];
  /** As when its process dies: everything open is broken off. */
  kill(): void;
}

/** How a call is to end instead; null: as usual. */
export type Failing = (call: number, text: string) => { code: status; pushback?: string } | null;

/** `once` says who it is and what it got, "fail" makes it fail, "wait" leaves it without an answer. */
export async function grpcBackend(name: string, failing: Failing = () => null): Promise<GrpcBackend> {
  const calls: string[] = [];
  const metadata: Metadata[] = [];
  const grpc = new Server();
  grpc.addService(definition, {
    once(call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) {
      calls.push('once');
      const text = call.request.toString();
      const trailer = new Metadata();
      trailer.set('x-name', name);
      metadata.push(call.metadata);
      const failure = failing(metadata.length, text);
      if (failure?.pushback !== undefined) trailer.set('grpc-retry-pushback-ms', failure.pushback);
      if (failure !== null) reply({ code: failure.code, details: name, metadata: trailer });
      else if (text === 'fail') reply({ code: status.FAILED_PRECONDITION, details: 'not today', metadata: trailer });
      else if (text !== 'wait') reply(null, Buffer.from(`${name}: ${text}`), trailer);
    },
    many(call: ServerWritableStream<Buffer, Buffer>) {
      calls.push('many');
      for (let i = 0; i < Number(call.request.toString()); i++) call.write(Buffer.from(`part ${i}`));
      call.end();
    },
    gather(call: ServerReadableStream<Buffer, Buffer>, reply: sendUnaryData<Buffer>) {
      calls.push('gather');
      void (async () => {
        const parts: string[] = [];
        for await (const part of call) parts.push(String(part));
        reply(null, Buffer.from(parts.join('+')));
      })();
    },
    chat(call: ServerDuplexStream<Buffer, Buffer>) {
      calls.push('chat');
      call.on('data', (value: Buffer) => call.write(Buffer.from(`you said ${value.toString()}`)));
      call.on('end', () => call.end());
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  toStop.push(() => grpc.forceShutdown());
  return { port, calls, metadata, kill: () => grpc.forceShutdown() };
}

export interface Told {
  readonly text: string;
  /** Of the call; 0: it went well. */
  readonly code: status;
  readonly details: string;
  readonly trailer: Metadata;
}

export class GrpcClient {
  readonly #client: Client;

  constructor(port: number) {
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.service_config': '{}', 'grpc.enable_retries': 0 });
    toStop.push(() => this.#client.close());
  }

  once(text: string, deadlineMs = 30_000, metadata = new Metadata()): Promise<Told> {
    return new Promise((resolve) => {
      let value = '';
      const call = this.#client.makeUnaryRequest('/test.Echo/once', bytes, bytes, Buffer.from(text), metadata, { deadline: Date.now() + deadlineMs }, (_error, answer) => {
        value = answer?.toString() ?? '';
      });
      call.on('status', ({ code, details, metadata }) => setImmediate(() => resolve({ text: value, code, details, trailer: metadata })));
    });
  }

  /** One to be given up: `cancel` does it. */
  pending(text: string): { readonly code: Promise<status>; cancel(): void } {
    const call = this.#client.makeUnaryRequest('/test.Echo/once', bytes, bytes, Buffer.from(text), () => {});
    return { code: new Promise((resolve) => void call.on('status', ({ code }) => resolve(code))), cancel: () => call.cancel() };
  }

  async many(count: number): Promise<string[]> {
    const parts: string[] = [];
    for await (const part of this.#client.makeServerStreamRequest('/test.Echo/many', bytes, bytes, Buffer.from(String(count)))) parts.push(String(part));
    return parts;
  }

  gather(parts: readonly string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      const call = this.#client.makeClientStreamRequest('/test.Echo/gather', bytes, bytes, (error, value) => (error === null ? resolve(String(value)) : reject(error)));
      for (const part of parts) call.write(Buffer.from(part));
      call.end();
    });
  }

  /** The next is said only when the former was answered. */
  chat(parts: readonly string[]): Promise<string[]> {
    return new Promise((resolve, reject) => {
      const call = this.#client.makeBidiStreamRequest('/test.Echo/chat', bytes, bytes);
      const answers: string[] = [];
      call.on('data', (value: Buffer) => {
        answers.push(value.toString());
        if (answers.length < parts.length) call.write(Buffer.from(parts[answers.length]!));
        else call.end();
      });
      call.on('error', reject);
      call.on('end', () => resolve(answers));
      call.write(Buffer.from(parts[0]!));
    });
  }
}
