/** Node's own HTTP server as an origin that keeps what it read. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Recorder } from './raw-recorder.ts';
import type { ReadRequest } from './reading.ts';

export class NodeRecorder implements Recorder {
  readonly seen: ReadRequest[] = [];
  readonly #acceptor: Server = createServer({ maxHeaderSize: 131_072, keepAliveTimeout: 60_000 });

  static async start(): Promise<NodeRecorder> {
    const recorder = new NodeRecorder();
    recorder.#acceptor.maxHeadersCount = 0;
    recorder.#acceptor.on('request', (request, response) => {
      const parts: Buffer[] = [];
      request.on('error', () => {});
      request.on('data', (bytes: Buffer) => parts.push(bytes));
      request.on('end', () => {
        const { rawHeaders } = request;
        const fields = Array.from({ length: rawHeaders.length / 2 }, (_, i) => [rawHeaders[2 * i]!, rawHeaders[2 * i + 1]!] as const);
        recorder.seen.push({ method: request.method ?? '', target: request.url ?? '', fields, body: Buffer.concat(parts).toString('latin1') });
        response.end('ok');
      });
    });
    recorder.#acceptor.listen(0, '127.0.0.1');
    await once(recorder.#acceptor, 'listening');
    return recorder;
  }

  get port(): number {
    return (this.#acceptor.address() as AddressInfo).port;
  }

  stop(): void {
    this.#acceptor.closeAllConnections();
    this.#acceptor.close();
  }
}
