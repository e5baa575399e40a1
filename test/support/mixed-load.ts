/**
 * Clients of several kinds over TLS, each of which asks again when it is
 * answered: node:https, undici, node:http2 and grpc-js. Every request is
 * counted with the phase it began in, and with what became of it.
 */
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectHttp2, constants, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import { Agent, request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client as UndiciClient } from 'undici';
import { echoMethod } from './mixed-calls.ts';

const program = fileURLToPath(new URL('./mixed-backend.ts', import.meta.url));

export class MixedBackend implements AsyncDisposable {
  readonly webPort: number;
  readonly grpcPort: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, ports: { webPort: number; grpcPort: number }) {
    this.#child = child;
    this.webPort = ports.webPort;
    this.grpcPort = ports.grpcPort;
  }

  static async start(name: string): Promise<MixedBackend> {
    const child = fork(program, [name], { execArgv: [] });
    const [ports] = (await once(child, 'message')) as [{ webPort: number; grpcPort: number }];
    return new MixedBackend(child, ports);
  }

  /** As `kill -9` does it; resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

export interface Failure {
  readonly phase: string;
  readonly kind: Kind;
  /** A status of HTTP, a code of gRPC, or an error in words. */
  readonly what: string;
}

export type Kind = 'https GET' | 'https POST' | 'undici GET' | 'undici POST' | 'http2 GET' | 'http2 POST' | 'grpc';

/** What became of a request. */
export interface Outcome {
  /** Refused, so that it is free to be sent elsewhere. */
  readonly isElsewhere?: boolean;
  readonly text: string;
  readonly isLast: boolean;
  readonly release: string;
}

type Method = 'GET' | 'POST';

/** One connection, or one after the other: `ask` resolves with the answer, `isLast` when it was told to go. */
interface MixedClient {
  ask(method: Method, body: string): Promise<Outcome>;
  /** Its connection takes nothing more: another request would open one. */
  readonly isTold: boolean;
  close(): void;
}

export interface Target {
  readonly port: number;
  readonly ca: string;
}

class HttpsClient implements MixedClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #target: Target;

  constructor(target: Target) {
    this.#target = target;
  }

  async ask(method: Method, body: string): Promise<Outcome> {
    const { port, ca } = this.#target;
    const outgoing = httpsRequest({ host: '127.0.0.1', servername: 'localhost', port, ca, method, path: '/mixed', agent: this.#agent, headers: { host: `localhost:${port}` } });
    outgoing.end(method === 'POST' ? body : undefined);
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    let text = '';
    for await (const part of response.setEncoding('utf8')) text += part as string;
    if (response.statusCode !== 200) throw new Error(String(response.statusCode));
    return { text, isLast: response.headers.connection === 'close', release: String(response.headers['x-release']) };
  }

  /** By the answer, which says so. */
  readonly isTold = false;

  close(): void {
    this.#agent.destroy();
  }
}

class UndiciMixedClient implements MixedClient {
  readonly #client: UndiciClient;

  constructor({ port, ca }: Target) {
    this.#client = new UndiciClient(`https://localhost:${port}`, { connect: { ca, lookup: (_name, _options, found) => found(null, [{ address: '127.0.0.1', family: 4 }]) }, allowH2: false });
  }

  async ask(method: Method, body: string): Promise<Outcome> {
    const { statusCode, headers, body: answer } = await this.#client.request({ path: '/mixed', method, body: method === 'POST' ? body : null });
    const text = await answer.text();
    if (statusCode !== 200) throw new Error(String(statusCode));
    return { text, isLast: headers['connection'] === 'close', release: String(headers['x-release']) };
  }

  readonly isTold = false;

  close(): void {
    void this.#client.destroy();
  }
}

/** Several streams share one session; who was told to go opens another. */
class Http2Client implements MixedClient {
  readonly #target: Target;
  #session: ClientHttp2Session | null = null;
  static goaways = 0;

  constructor(target: Target) {
    this.#target = target;
  }

  #open(): ClientHttp2Session {
    if (this.#session !== null && !this.#session.closed && !this.#session.destroyed) return this.#session;
    const session = connectHttp2(`https://localhost:${this.#target.port}`, { ca: this.#target.ca, lookup: (_name, _options, found) => found(null, [{ address: '127.0.0.1', family: 4 }]) });
    session.on('error', () => {});
    session.on('goaway', () => Http2Client.goaways++);
    this.#session = session;
    return session;
  }

  async ask(method: Method, body: string): Promise<Outcome> {
    const session = this.#open();
    const stream = session.request({ ':path': '/mixed', ':method': method }, { endStream: method === 'GET' });
    if (method === 'POST') stream.end(body);
    let hasAnswer = false;
    try {
      const [fields] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status': number }];
      hasAnswer = true;
      let text = '';
      for await (const part of stream.setEncoding('utf8')) text += part as string;
      if (fields[':status'] !== 200) throw new Error(String(fields[':status']));
      return { text, isLast: session.closed, release: String(fields['x-release']) };
    } catch (error) {
      // Only what was refused before any answer, by one that said that it goes.
      if (hasAnswer || stream.rstCode !== constants.NGHTTP2_REFUSED_STREAM || !(session.closed || session.destroyed)) throw error;
      return { text: '', isLast: true, release: '', isElsewhere: true };
    }
  }

  get isTold(): boolean {
    return this.#session !== null && (this.#session.closed || this.#session.destroyed);
  }

  close(): void {
    this.#session?.destroy();
  }
}

/** Its library opens another connection by itself, so that nothing is to be seen of an end: it leaves when the load does. */
class GrpcMixedClient implements MixedClient {
  readonly #client: Client;
  readonly #isLeaving: () => boolean;

  constructor({ port, ca }: Target, isLeaving: () => boolean) {
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createSsl(Buffer.from(ca)), { 'grpc.ssl_target_name_override': 'localhost', 'grpc.default_authority': 'localhost' });
    this.#isLeaving = isLeaving;
  }

  ask(_method: Method, body: string): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = echoMethod;
      this.#client.makeUnaryRequest<Buffer, Buffer>(path, requestSerialize, responseDeserialize, Buffer.from(body), new Metadata(), { deadline: Date.now() + 30_000 }, (error: ServiceError | null, answer) => {
        if (error !== null) reject(new Error(`${error.code} ${error.details}`));
        else resolve({ text: answer!.toString(), isLast: false, release: '' });
      });
    });
  }

  get isTold(): boolean {
    return this.#isLeaving();
  }

  close(): void {
    this.#client.close();
  }
}

const KINDS: readonly Kind[] = ['https GET', 'https POST', 'undici GET', 'undici POST', 'http2 GET', 'http2 POST', 'grpc'];
/** Loops of each kind; those of HTTP/2 and gRPC share two connections. */
const LOOPS = 4;
/** Between an answer and the next request, or the clients would have the machine for themselves. */
const PAUSE_MS = 4;
const PAUSE_AFTER_FAILURE_MS = 20;

export class MixedLoad {
  readonly failures: Failure[] = [];
  /** Answers by phase, then by kind. */
  readonly answered = new Map<string, Map<Kind, number>>();
  readonly releases = new Set<string>();
  /** Streams of HTTP/2 that were refused, and so are free to be sent elsewhere, by phase. */
  readonly refused = new Map<string, number>();
  phase = 'start';
  readonly loops = KINDS.length * LOOPS;
  #isLeaving = false;
  #isStopped = false;
  readonly #clients: MixedClient[] = [];
  readonly #running: Promise<void>[] = [];
  #waiting: (() => void)[] = [];

  start(target: Target): void {
    for (const kind of KINDS) {
      const shared = [this.#client(kind, target), this.#client(kind, target)];
      for (let i = 0; i < LOOPS; i++) this.#running.push(this.#loop(kind, kind.startsWith('http2') || kind === 'grpc' ? shared[i % 2]! : this.#client(kind, target), i));
    }
  }

  get goaways(): number {
    return Http2Client.goaways;
  }

  /** Goes on in `phase`; resolves once every kind has been answered `times` in it. */
  async turn(phase: string, times = LOOPS * 2): Promise<void> {
    this.phase = phase;
    await this.#until(() => KINDS.every((kind) => (this.answered.get(phase)?.get(kind) ?? 0) >= times) || this.#running.length === 0);
  }

  /** Each goes on until it is told to go, and opens nothing new then. */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    await Promise.all(this.#running);
    // A library that keeps a connection which was told to go is waited for by the proxy, for some seconds.
    for (const client of this.#clients) client.close();
  }

  stop(): void {
    this.#isStopped = true;
    for (const client of this.#clients) client.close();
  }

  #client(kind: Kind, target: Target): MixedClient {
    const make = { https: () => new HttpsClient(target), undici: () => new UndiciMixedClient(target), http2: () => new Http2Client(target), grpc: () => new GrpcMixedClient(target, () => this.#isLeaving) };
    const client = make[kind.split(' ')[0] as keyof typeof make]();
    this.#clients.push(client);
    return client;
  }

  async #loop(kind: Kind, client: MixedClient, index: number): Promise<void> {
    const method = kind.endsWith('GET') ? 'GET' : 'POST';
    for (let i = 0; !this.#isStopped; i++) {
      if (this.#isLeaving && client.isTold) return;
      const { phase } = this;
      const body = method === 'GET' ? '' : `${index}-${i}`;
      try {
        const { text, isLast, release, isElsewhere = false } = await client.ask(method, body);
        if (isElsewhere) {
          this.refused.set(phase, (this.refused.get(phase) ?? 0) + 1);
          continue;
        }
        if (!text.endsWith(`${kind === 'grpc' ? 'CALL' : method} ${body}`)) throw new Error(`another's answer: ${text}`);
        this.releases.add(release);
        this.#count(phase, kind);
        if (isLast && this.#isLeaving) return;
        await pause(PAUSE_MS);
      } catch (error) {
        if (this.#isStopped) return;
        this.failures.push({ phase, kind, what: error instanceof Error ? error.message : String(error) });
        // What refuses everything must not become a busy loop.
        await pause(PAUSE_AFTER_FAILURE_MS);
      }
    }
  }

  #count(phase: string, kind: Kind): void {
    const kinds = this.answered.get(phase) ?? new Map<Kind, number>();
    this.answered.set(phase, kinds.set(kind, (kinds.get(kind) ?? 0) + 1));
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
