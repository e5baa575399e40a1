/** The client's end of a relay where TLS ends here: the same as any other, but that its end is said in TLS, too. */
import type { SecureSocket } from '../../net/secure-socket.ts';
import { RelayEnd, type RelayOwner } from './tcp-relay.ts';

export class SecureEnd extends RelayEnd {
  readonly #secure: SecureSocket;

  constructor(socket: SecureSocket, owner: RelayOwner) {
    super(socket, owner);
    this.#secure = socket;
  }

  protected override closeSocket(): void {
    this.#secure.closeInOrder();
  }
}
