/**
 * The UDP sockets of one worker: one for each local address and port, whoever
 * listens there. A UDP socket cannot stop taking newcomers and still answer,
 * and two of one worker at one address would share its clients between them;
 * so a port is not a listener's own. Listeners hold it, one of them takes its
 * newcomers, its sessions stay with the listener that began them, and it
 * closes with the last of both.
 */
import type { RemoteInfo, Socket } from 'node:dgram';
import { bindUdp } from '../../net/udp-socket.ts';
import type { UdpSession } from '../relay/udp-session.ts';
import { ClientTable } from './client-table.ts';

/** Asked of the kernel for each socket: a burst that one turn of the loop cannot take waits there. */
const RECEIVE_BYTES_MAX = 4 * 1024 * 1024;
/** Datagrams held between the bind and the moment from which newcomers are served. */
const WAITING_MAX = 256;

/** A listener, as a port knows it. */
export interface PortHolder {
  /** Newcomers are served; before that they wait. */
  readonly isAccepting: boolean;
  /** A datagram of a client that has no session here. */
  onNewcomer(local: LocalPort, bytes: Buffer, address: string, port: number): void;
  /** One came to an address of this machine that nobody told of. */
  onUnlisted(bytes: Buffer): void;
  /** Nobody takes newcomers any more; sessions that this listener began still run. */
  onRefusedNewcomer(bytes: Buffer): void;
  onPortError(local: LocalPort, error: Error): void;
  /** A bug of ours, met with a datagram: it must not end the worker. */
  onFault(error: unknown): void;
}

/** `catch-all` is the wildcard address itself: what comes to no address that is bound by itself. */
export type HoldKind = 'address' | 'listed' | 'catch-all';

interface Hold {
  readonly holder: PortHolder;
  readonly kind: HoldKind;
}

interface Waiting {
  readonly bytes: Buffer;
  readonly address: string;
  readonly port: number;
}

export class LocalPort {
  readonly host: string;
  readonly port: number;
  readonly socket: Socket;
  readonly sessions = new ClientTable<UdpSession>();
  readonly #close: () => void;
  /** Whom a datagram is counted on that nobody takes. */
  #former: PortHolder;
  #holds: Hold[] = [];
  /** Of the holds, the one that takes newcomers. */
  #taking: Hold | null = null;
  #waiting: Waiting[] = [];
  isClosed = false;

  /** @throws the system's error */
  constructor(host: string, port: number, first: PortHolder, close: () => void) {
    this.host = host;
    this.port = port;
    this.#former = first;
    this.#close = close;
    this.socket = bindUdp(host, port, { reusePort: true, receiveBytesMax: RECEIVE_BYTES_MAX });
    this.socket.on('message', (bytes, from) => this.#onDatagram(bytes, from));
    this.socket.on('error', (error) => (this.#taking?.holder ?? this.#former).onPortError(this, error));
  }

  hold(holder: PortHolder, kind: HoldKind): void {
    this.#holds.push({ holder, kind });
    this.chooseTaker();
  }

  letGo(holder: PortHolder, kind: HoldKind): void {
    this.#former = holder;
    this.#holds = this.#holds.filter((hold) => hold.holder !== holder || hold.kind !== kind);
    this.chooseTaker();
    this.closeIfIdle();
  }

  /** Who names the address itself takes newcomers before who listens on all of them; of several the one that came last. */
  chooseTaker(): void {
    const accepting = this.#holds.filter(({ holder }) => holder.isAccepting);
    this.#taking = accepting.findLast(({ kind }) => kind === 'address') ?? accepting.at(-1) ?? null;
    if (this.#taking === null) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { bytes, address, port } of waiting) this.#take(bytes, address, port);
  }

  /** A session has ended, or a listener let go. */
  closeIfIdle(): void {
    if (this.#holds.length > 0 || this.sessions.size > 0 || this.isClosed) return;
    this.isClosed = true;
    this.socket.close();
    this.#close();
  }

  /** The hot path: one look-up, and the session does the rest. */
  #onDatagram(bytes: Buffer, { address, port }: RemoteInfo): void {
    try {
      const session = this.sessions.find(address, port);
      if (session !== null) session.onRequest(bytes);
      else this.#take(bytes, address, port);
    } catch (error) {
      (this.#taking?.holder ?? this.#former).onFault(error);
    }
  }

  #take(bytes: Buffer, address: string, port: number): void {
    const taking = this.#taking;
    if (taking !== null) {
      if (taking.kind === 'catch-all') return taking.holder.onUnlisted(bytes);
      const session = this.sessions.find(address, port);
      if (session !== null) return session.onRequest(bytes);
      return taking.holder.onNewcomer(this, bytes, address, port);
    }
    const isStarting = this.#holds.length > 0;
    if (isStarting && this.#waiting.length < WAITING_MAX) this.#waiting.push({ bytes, address, port });
    else this.#former.onRefusedNewcomer(bytes);
  }
}

export class UdpPorts {
  readonly #ports = new Map<string, LocalPort>();

  /** @throws the system's error */
  hold(host: string, port: number, holder: PortHolder, kind: HoldKind): LocalPort {
    const key = `${host} ${port}`;
    let local = this.#ports.get(key);
    if (local === undefined) {
      local = new LocalPort(host, port, holder, () => this.#ports.delete(key));
      this.#ports.set(key, local);
    }
    local.hold(holder, kind);
    return local;
  }
}

/** One set of ports for each worker, by what its listeners share. */
const portsByWorker = new WeakMap<object, UdpPorts>();

export function udpPortsOf(worker: object): UdpPorts {
  let ports = portsByWorker.get(worker);
  if (ports === undefined) portsByWorker.set(worker, (ports = new UdpPorts()));
  return ports;
}
