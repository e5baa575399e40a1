/**
 * One connection to a backend that bytes are relayed over. It holds one of the
 * backend's places until it is closed; its owner watches how long the connect
 * takes, and closes it.
 */
import type { Aged } from '../../base/age-list.ts';
import type { ErrorCode } from '../../base/errors.ts';
import { DialedReader } from '../../net/relay-dial.ts';
import type { SecureDial } from '../../net/secure-dial.ts';
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
  readonly hasTls: boolean;
  readonly #owner: TcpConnectionOwner;
  #greeting: Buffer | null = null;

  constructor(backend: Backend, host: string, port: number, owner: TcpConnectionOwner, secure: SecureDial | null) {
    const dialed = secure === null ? new DialedReader(host, port) : null;
    super(dialed?.socket ?? secure!.open({ host, port, allowHalfOpen: true, autoSelectFamily: false }, backend.name, [], backend, () => this.#greeting), owner, dialed);
    this.backend = backend;
    this.hasTls = secure !== null;
    this.#owner = owner;
    this.socket.on(secure === null ? 'connect' : 'secureConnect', () => {
      this.begin();
      this.#owner.onConnected();
    });
  }

  /** With TLS: what goes out before it, in the clear. Call it in the turn in which it was opened. */
  greet(header: Buffer): void {
    this.#greeting = header;
    this.backend.countSent(header.length);
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
