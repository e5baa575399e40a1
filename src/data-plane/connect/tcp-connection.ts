/**
 * One connection to a backend that bytes are relayed over. It holds one of the
 * backend's places until it is closed; its owner watches how long the connect
 * takes, and closes it.
 */
import type { Aged } from '../../base/age-list.ts';
import type { ErrorCode } from '../../base/errors.ts';
import { DialedReader } from '../../net/relay-dial.ts';
import { RelayEnd, type RelayOwner } from '../relay/tcp-relay.ts';
import type { Backend } from './backend.ts';

export interface TcpConnectionOwner extends RelayOwner {
  onConnected(): void;
  /** Its backend takes it away: end it now. */
  onCut(reason: ErrorCode): void;
}

export class TcpConnection extends RelayEnd implements Aged<TcpConnection> {
  older: TcpConnection | null = null;
  newer: TcpConnection | null = null;
  readonly backend: Backend;
  readonly #owner: TcpConnectionOwner;

  constructor(backend: Backend, host: string, port: number, owner: TcpConnectionOwner) {
    const dialed = new DialedReader(host, port);
    super(dialed.socket, owner, dialed);
    this.backend = backend;
    this.#owner = owner;
    this.socket.on('connect', () => {
      this.begin();
      this.#owner.onConnected();
    });
  }

  cut(reason: ErrorCode): void {
    this.#owner.onCut(reason);
  }

  override close(): void {
    super.close();
    this.backend.onTcpClosed(this);
  }

  override reset(): void {
    super.reset();
    this.backend.onTcpClosed(this);
  }
}
