/** A client that sent datagrams as routing asks it: it has an address and nothing else. */
import type { RouteQuery } from './route-query.ts';

const NO_VALUES: readonly string[] = [];

/** One object serves all clients of a worker: routing neither waits nor nests. */
export class SourceQuery implements RouteQuery {
  readonly method = '';
  readonly pathMayReadTwoWays = false;
  #client = '';

  open(client: string): this {
    this.#client = client;
    return this;
  }

  host(): string {
    return '';
  }

  path(): string {
    return '';
  }

  query(): string {
    return '';
  }

  header(): readonly string[] {
    return NO_VALUES;
  }

  clientAddress(): string {
    return this.#client;
  }
}
