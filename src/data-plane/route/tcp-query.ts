/** A tcp connection as routing asks it: a client's address, what its ClientHello says if that was read, and nothing of what a request has. */
import type { ClientHello } from '../parse/client-hello.ts';
import type { RouteQuery } from './route-query.ts';

const NOTHING: readonly string[] = [];

/** Whose address is asked for, which may cost a system call: only if a route or a key wants it. */
export interface AddressedClient {
  readonly clientAddress: string;
  /** null: not read, or not yet. */
  readonly hello: ClientHello | null;
}

/** One object serves all connections of a worker: routing neither waits nor nests. */
export class TcpQuery implements RouteQuery {
  readonly method = '';
  readonly pathMayReadTwoWays = false;
  #client!: AddressedClient;

  open(client: AddressedClient): this {
    this.#client = client;
    return this;
  }

  clientAddress(): string {
    return this.#client.clientAddress;
  }

  host(): string {
    return this.#client.hello?.serverName ?? '';
  }

  protocols(): readonly string[] {
    return this.#client.hello?.protocols ?? NOTHING;
  }

  path(): string {
    return '/';
  }

  query(): string {
    return '';
  }

  header(): readonly string[] {
    return NOTHING;
  }
}
