/** A client with one connection that stays open, and ways to look at a running proxy. */
import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import type { StatusAnswer } from '../../src/control-plane/admin/answers.ts';
import type { Answer, WeirProcess } from './weir-process.ts';

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface VisitorAnswer extends Answer {
  /** It came over the connection of the request before. */
  readonly isReused: boolean;
  readonly backend: string;
  readonly worker: string;
}

export class Visitor implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  /** Requests of one visitor go one after another. Rejects if it is not answered. */
  async ask(path = '/', { method = 'GET', headers = {}, body = '' }: Ask = {}): Promise<VisitorAnswer> {
    const length = body === '' ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const outgoing = httpRequest({ host: '127.0.0.1', port: this.#port, path, method, headers: { ...length, ...headers }, agent: this.#agent });
    outgoing.end(body);
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of response.setEncoding('latin1')) text += chunk as string;
    const named = (name: string): string => String(response.headers[name] ?? '');
    return { status: response.statusCode!, headers: response.headers, body: text, isReused: outgoing.reusedSocket, backend: named('x-backend'), worker: named('x-worker') };
  }

  /** Between requests: its connection is still there. */
  get isOpen(): boolean {
    return Object.keys(this.#agent.freeSockets).length > 0;
  }

  close(): void {
    this.#agent.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** One request over a connection of its own. */
export async function visit(port: number, path = '/', ask: Ask = {}): Promise<VisitorAnswer> {
  using visitor = new Visitor(port);
  return await visitor.ask(path, ask);
}

export async function statusOf(weir: WeirProcess): Promise<StatusAnswer> {
  return JSON.parse((await weir.admin('/api/v1/status')).body) as StatusAnswer;
}

/** Looks at the status until `condition` holds of it. */
export async function untilStatus(weir: WeirProcess, condition: (status: StatusAnswer) => boolean): Promise<StatusAnswer> {
  while (true) {
    const status = await statusOf(weir);
    if (condition(status)) return status;
  }
}

/** Samples by name and labels, as written: `weir_pool_panic{pool="web"}`. */
export type Samples = ReadonlyMap<string, number>;

export async function metricsOf(weir: WeirProcess): Promise<Samples> {
  const { body } = await weir.admin('/metrics');
  const lines = body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

/** Scrapes until `condition` holds. */
export async function untilMetrics(weir: WeirProcess, condition: (samples: Samples) => boolean): Promise<Samples> {
  while (true) {
    const samples = await metricsOf(weir);
    if (condition(samples)) return samples;
  }
}

/**
 * Visitors by the worker that accepted their connection, `each` on each of two
 * workers; the kernel spreads connections by chance. The pool's backends must
 * be NamedBackends.
 */
export async function visitorsOnBoth(port: number, each: number): Promise<[Visitor[], Visitor[]]> {
  const byWorker = new Map<string, Visitor[]>();
  while (byWorker.size < 2 || [...byWorker.values()].some((visitors) => visitors.length < each)) {
    const visitor = new Visitor(port);
    const { worker } = await visitor.ask('/');
    const visitors = byWorker.get(worker) ?? [];
    byWorker.set(worker, visitors);
    if (visitors.length < each) visitors.push(visitor);
    else visitor.close();
  }
  return [...byWorker.values()] as [Visitor[], Visitor[]];
}
