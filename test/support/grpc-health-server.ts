/** A gRPC server with the official health service, from the packages of the gRPC project. */
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import type { Socket } from 'node:net';

type ServingStatus = 'UNKNOWN' | 'SERVING' | 'NOT_SERVING';

export class GrpcHealthServer {
  readonly health: HealthImplementation;
  readonly #server = new Server();
  #port = 0;

  /** @param statuses by service; '' is the server as a whole; null: without the health service */
  constructor(statuses: Record<string, ServingStatus> | null = { '': 'SERVING' }) {
    this.health = new HealthImplementation(statuses ?? {});
    if (statuses !== null) this.health.addToServer(this.#server);
  }

  async start(): Promise<this> {
    this.#port = await new Promise((resolve, reject) => {
      this.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => (error === null ? resolve(port) : reject(error)));
    });
    return this;
  }

  get port(): number {
    return this.#port;
  }

  /** Serves a connection that something else accepted. */
  take(socket: Socket): void {
    this.#server.createConnectionInjector(ServerCredentials.createInsecure()).injectConnection(socket);
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}
