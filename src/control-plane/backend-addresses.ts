/**
 * Where backends given by a name are: writes what the resolver found into
 * their rows, for the workers to connect to. Rows of literal addresses need
 * none.
 */
import { parseAddress } from '../net/address.ts';
import type { NameResolver } from '../net/resolve-name.ts';
import type { PlacedBackend } from './backend-rows.ts';

export class BackendAddresses {
  readonly #resolver: NameResolver;
  #byName = new Map<string, PlacedBackend[]>();
  #nameOfRow = new Map<number, string>();

  constructor(resolver: NameResolver) {
    this.#resolver = resolver;
  }

  apply(placed: readonly PlacedBackend[]): void {
    this.#byName = new Map();
    this.#nameOfRow = new Map();
    for (const row of placed) {
      const { named, host } = row.backend;
      if (!named) continue;
      this.#nameOfRow.set(row.number, host);
      const known = this.#byName.get(host);
      if (known === undefined) this.#byName.set(host, [row]);
      else known.push(row);
    }
    this.#resolver.want(new Set(this.#byName.keys()));
    for (const name of this.#byName.keys()) this.write(name);
  }

  /** A worker's connect to this row's backend failed. */
  connectFailed(rowNumber: number): void {
    const name = this.#nameOfRow.get(rowNumber);
    if (name !== undefined) this.#resolver.connectFailed(name);
  }

  /** A row's address version moves only with its address: workers take a new version for another place. */
  write(name: string): void {
    const address = this.#resolver.addressOf(name);
    const bytes = address === null ? null : parseAddress(address);
    for (const { row } of this.#byName.get(name) ?? []) {
      if (!isSame(row.loadAddress(), bytes)) row.storeAddress(bytes);
    }
  }
}

function isSame(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === null || b === null) return a === b;
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
