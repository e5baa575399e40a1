/**
 * Sockets that tcp clients come in by: each connection is relayed to a backend
 * of the pool that its route names, byte by byte. Every worker binds the same
 * ports with `reusePort`; the kernel spreads connections over them.
 */
import type { Socket } from 'node:net';
import type { LiveListener } from '../live/live-listener.ts';
import type { WorkerContext } from '../live/worker-context.ts';
import { TcpPipeline } from '../tcp-pipeline.ts';
import { TcpSession } from '../tcp-session.ts';
import type { ListenerKind } from './listener.ts';
import { SocketListener } from './socket-listener.ts';
import type { Secured } from './tls-opening.ts';

export class TcpListener extends SocketListener<TcpSession> {
  /** A silence may be part of any protocol: when all places are taken, newcomers are closed. */
  protected readonly hasRest = false;
  readonly #pipeline: TcpPipeline;

  constructor(live: LiveListener, context: WorkerContext) {
    super(live, context);
    this.#pipeline = new TcpPipeline(context);
  }

  protected serve(socket: Socket, port: number): TcpSession {
    return new TcpSession(socket, port, this, this.#pipeline, this.context);
  }

  protected serveSecured(secured: Secured): TcpSession {
    return new TcpSession(secured.socket, secured.localPort, this, this.#pipeline, this.context, secured);
  }

  protected override begin(session: TcpSession): void {
    session.begin();
  }
}

export const tcpListener: ListenerKind = {
  name: 'tcp',
  summary: 'Any protocol over TCP, relayed byte by byte',
  create: (live, _pipeline, context) => new TcpListener(live, context),
};
