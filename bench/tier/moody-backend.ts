/** A backend in the bench's own process whose mood is set: well, failing (503), or silent (takes requests, answers none). Counts its probes. */
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Mood = 'well' | 'failing' | 'silent';

export class MoodyBackend implements AsyncDisposable {
  mood: Mood = 'well';
  probes = 0;
  readonly #acceptor: Server;
  readonly #unanswered = new Set<ServerResponse>();

  private constructor() {
    this.#acceptor = createServer((_request, response) => {
      this.probes++;
      if (this.mood === 'silent') {
        this.#unanswered.add(response);
        response.once('close', () => this.#unanswered.delete(response));
      } else response.writeHead(this.mood === 'well' ? 200 : 503).end();
    });
  }

  static async start(): Promise<MoodyBackend> {
    const backend = new MoodyBackend();
    backend.#acceptor.listen(0, '127.0.0.1');
    await once(backend.#acceptor, 'listening');
    return backend;
  }

  get address(): string {
    return `127.0.0.1:${(this.#acceptor.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#acceptor, 'close');
    this.#acceptor.close();
    this.#acceptor.closeAllConnections();
    await closed;
  }
}
