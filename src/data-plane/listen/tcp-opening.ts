/**
 * The client's end of a tcp connection of which something must be known before
 * it is relayed: whom a PROXY header names, what a TLS ClientHello asks for.
 * What it reads for that it keeps, and passes on as it came, the header alone
 * left out; from then on it is an end like any other. What it keeps is bounded
 * by the limits of both parsers and one read; the time it takes is its owner's
 * to watch.
 */
import type { Socket } from 'node:net';
import { plainAddress } from '../../net/address.ts';
import type { ProxyHeader } from '../../net/proxy-header.ts';
import type { LiveListener } from '../live/live-listener.ts';
import { ClientHello } from '../parse/client-hello.ts';
import { HelloRecords } from '../parse/hello-records.ts';
import { RelayEnd, type RelayOwner } from '../relay/tcp-relay.ts';
import { ProxyHeaderReader } from './proxy-header-reader.ts';

/** Of a PROXY header: none is read, one may come, one is asked for, or one is asked for and would not be believed. */
export type OpeningMode = 'off' | 'accept' | 'require' | 'refuse';

export type OpeningRefusal = 'proxy-header' | 'client-hello';

/** Hears of the opening once: that it is over, or refused. */
export interface OpeningOwner extends RelayOwner {
  /** The connection is the one that the header speaks of. `bytes` is how long it was. */
  onProxyHeader(header: ProxyHeader, bytes: number): void;
  /** Its addresses are known. True: what becomes of it depends on its ClientHello. */
  needsHello(): boolean;
  /** All is known; what was read is held, to be passed on. */
  onOpened(hello: ClientHello | null): void;
  /** It has to be closed. */
  onRefused(reason: OpeningRefusal, detail: string): void;
  /** The client ended it before it said anything. */
  onUnused(): void;
}

/** A client that sends byte by byte must not make us keep an object for each. */
const PARTS_MAX = 16;

const STAGE = { header: 0, hello: 1, over: 2 } as const;

export class TcpOpening extends RelayEnd {
  readonly #owner: OpeningOwner;
  /** Whether a PROXY header is asked for, or may come. */
  readonly #mode: OpeningMode;
  #stage: number = STAGE.header;
  #header: ProxyHeaderReader | null = null;
  #records: HelloRecords | null = null;
  #hello: ClientHello | null = null;
  /** Read for the hello. */
  #parts: Buffer[] = [];
  #hasBytes = false;

  constructor(socket: Socket, owner: OpeningOwner, mode: OpeningMode) {
    super(socket, owner);
    this.#owner = owner;
    this.#mode = mode;
  }

  /** Anything came. */
  get hasBytes(): boolean {
    return this.#hasBytes;
  }

  /** What is waited for. */
  get awaited(): OpeningRefusal {
    return this.#stage === STAGE.header ? 'proxy-header' : 'client-hello';
  }

  /** The socket is read once the owner is known to be ready for what it calls. */
  override begin(): void {
    if (this.#mode === 'refuse') return this.#refuse('proxy-header', 'the sender is not trusted');
    if (this.#mode === 'off') this.#afterHeader();
    else this.#header = new ProxyHeaderReader();
    if (!this.socket.destroyed) super.begin();
  }

  override onBytes(bytes: Buffer): void {
    if (this.#stage === STAGE.over) return super.onBytes(bytes);
    this.#hasBytes = true;
    try {
      if (this.#stage === STAGE.header) this.#readHeader(bytes);
      else this.#readHello(bytes);
    } catch (error) {
      this.owner.onBug(error);
    }
  }

  override onEnd(): void {
    if (this.#stage === STAGE.header && this.#hasBytes && this.#mode === 'accept') this.#leaveHeader();
    if (this.#stage === STAGE.over) return super.onEnd();
    if (!this.#hasBytes) {
      this.#stage = STAGE.over;
      this.#owner.onUnused();
    } else this.#refuse(this.awaited, 'the connection ended before it was whole');
  }

  #readHeader(bytes: Buffer): void {
    const reader = this.#header!;
    switch (reader.take(bytes)) {
      case 'more':
        return;
      case 'bad':
        return this.#refuse('proxy-header', 'the header is malformed');
      case 'none':
        if (this.#mode === 'require') return this.#refuse('proxy-header', 'there is no header');
        break;
      case 'ok':
        this.#owner.onProxyHeader(reader.header, reader.header.headerBytes);
    }
    this.#leaveHeader();
  }

  #leaveHeader(): void {
    const { rest } = this.#header!;
    this.#header = null;
    this.#afterHeader();
    if (rest.length > 0 && !this.socket.destroyed) this.onBytes(rest);
  }

  #afterHeader(): void {
    if (!this.#owner.needsHello()) return this.#over();
    this.#stage = STAGE.hello;
    this.#records = new HelloRecords();
    this.#hello = new ClientHello();
  }

  #readHello(bytes: Buffer): void {
    if (this.#parts.push(bytes) === PARTS_MAX) this.#parts = [Buffer.concat(this.#parts)];
    switch (this.#records!.read(bytes, 0, bytes.length, this.#hello!)) {
      case 'more':
        return;
      case 'none':
        return this.#refuse('client-hello', 'it is no TLS');
      case 'bad':
        return this.#refuse('client-hello', 'the ClientHello is broken or too large');
      case 'ok':
        this.#over();
    }
  }

  #over(): void {
    const parts = this.#parts;
    this.#parts = [];
    this.#records = null;
    this.#stage = STAGE.over;
    if (parts.length > 0) super.onBytes(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
    this.#owner.onOpened(this.#hello);
  }

  #refuse(reason: OpeningRefusal, detail: string): void {
    this.#parts = [];
    this.#stage = STAGE.over;
    this.#owner.onRefused(reason, detail);
  }
}

/**
 * The end of a socket that the listener has to know more of than that it has
 * come; null: nothing is waited for, since a server may be the one to speak
 * first. */
export function openingOf(socket: Socket, live: LiveListener, owner: OpeningOwner): TcpOpening | null {
  const { proxyProtocol } = live.spec;
  const isBelieved = proxyProtocol !== 'off' && live.trusted.has(plainAddress(socket.remoteAddress ?? ''));
  if (isBelieved) return new TcpOpening(socket, owner, proxyProtocol);
  if (proxyProtocol === 'require') return new TcpOpening(socket, owner, 'refuse');
  return live.firstHelloRoute < live.routes.length ? new TcpOpening(socket, owner, 'off') : null;
}
