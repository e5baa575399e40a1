/**
 * One bind of a UDP listener. A wildcard is bound address by address, since the
 * runtime does not tell which of them a datagram came to, and its answer has to
 * leave from that one; addresses that come and go are followed by `follow`. The
 * wildcard address is bound too: it takes what comes to an address not yet
 * known (or to a whole block routed here), which is dropped, counted, and the
 * sign to look again.
 */
import { errorCodeOf } from '../../net/dial.ts';
import type { AddressFamily, ListAddresses } from '../../net/own-addresses.ts';
import type { BindAddress } from './listener.ts';
import type { HoldKind, LocalPort, PortHolder, UdpPorts } from './udp-ports.ts';

const CATCH_ALL: Readonly<Record<AddressFamily, string>> = { IPv4: '0.0.0.0', IPv6: '::' };
/** This machine has no IPv6, or has it turned off. */
const NO_FAMILY = ['EAFNOSUPPORT', 'EADDRNOTAVAIL'];

interface Held {
  readonly local: LocalPort;
  readonly kind: HoldKind;
}

export class UdpBind {
  readonly #address: BindAddress;
  readonly #ports: UdpPorts;
  readonly #holder: PortHolder;
  readonly #listAddresses: ListAddresses;
  /** Of a wildcard, those this machine has; empty for one address. */
  readonly #families: AddressFamily[] = [];
  readonly #locals = new Map<string, Held>();
  /** Could not be bound when last tried, so that each is told of once. */
  #failed = new Set<string>();

  constructor(address: BindAddress, ports: UdpPorts, holder: PortHolder, listAddresses: ListAddresses) {
    this.#address = address;
    this.#ports = ports;
    this.#holder = holder;
    this.#listAddresses = listAddresses;
  }

  /** `report`: see `follow`. @throws the system's error, with nothing left bound */
  open(report: (host: string, error: unknown) => void): void {
    const { host } = this.#address;
    try {
      const families = familiesOf(host);
      if (families.length === 0) this.#hold(host!, 'address');
      for (const family of families) if (this.#openCatchAll(family, host === null)) this.#families.push(family);
      if (families.length > 0) this.follow(report);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get isWildcard(): boolean {
    return this.#families.length > 0;
  }

  /** Addresses as they are now; true if one came. `report` is told once of each that cannot be bound. */
  follow(report: (host: string, error: unknown) => void): boolean {
    const listed = this.#listAddresses(this.#families);
    const failed = new Set<string>();
    let hasGrown = false;
    for (const host of listed) {
      if (this.#locals.has(host)) continue;
      try {
        this.#hold(host, 'listed');
        hasGrown = true;
      } catch (error) {
        failed.add(host);
        if (!this.#failed.has(host)) report(host, error);
      }
    }
    this.#failed = failed;
    const kept = new Set([...listed, ...this.#families.map((family) => CATCH_ALL[family])]);
    for (const [host, held] of [...this.#locals]) if (!kept.has(host)) this.#drop(host, held);
    return hasGrown;
  }

  chooseTakers(): void {
    for (const { local } of this.#locals.values()) local.chooseTaker();
  }

  close(): void {
    for (const { local, kind } of this.#locals.values()) local.letGo(this.#holder, kind);
    this.#locals.clear();
  }

  #hold(host: string, kind: HoldKind): void {
    this.#locals.set(host, { local: this.#ports.hold(host, this.#address.port, this.#holder, kind), kind });
  }

  /** Answers cannot leave from an address that is gone: its sessions end with it. */
  #drop(host: string, { local, kind }: Held): void {
    this.#locals.delete(host);
    local.letGo(this.#holder, kind);
    for (const session of local.sessions.all()) session.end('shutting-down');
  }

  /** False: this machine has no such family, and not only it was asked for. */
  #openCatchAll(family: AddressFamily, mayLack: boolean): boolean {
    try {
      this.#hold(CATCH_ALL[family], 'catch-all');
      return true;
    } catch (error) {
      if (mayLack && family === 'IPv6' && NO_FAMILY.includes(errorCodeOf(error))) return false;
      throw error;
    }
  }
}

/** Empty: `host` is one address. */
function familiesOf(host: string | null): readonly AddressFamily[] {
  if (host === null) return ['IPv4', 'IPv6'];
  if (host === '0.0.0.0') return ['IPv4'];
  return host === '::' ? ['IPv6'] : [];
}
