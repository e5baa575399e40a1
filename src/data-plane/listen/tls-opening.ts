/**
 * A connection of a TLS listener until its handshake is done: whom a PROXY
 * header names, what its ClientHello asks for, the handshake itself. The hello
 * is read before TLS is: that tells what is no TLS at all, chooses the
 * certificate, and keeps who sends nothing from costing more than a plain
 * connection. Bounded by the limits of both parsers, `timeouts.header`, and
 * `limits.handshakes`, which its listener holds.
 */
import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Aged } from '../../base/age-list.ts';
import { Deadline } from '../../base/timer-wheel.ts';
import { plainAddress } from '../../net/address.ts';
import { alertRecord, ALERT } from '../../net/tls-alert.ts';
import { closeGently } from '../../net/dial.ts';
import type { ProxyEnds } from '../../net/proxy-header.ts';
import { SecureSocket, type HandshakeTarget } from '../../net/secure-socket.ts';
import { listenerColumns, TLS_RESULTS, type TlsResult } from '../../shared/counter-pages.ts';
import type { LiveListener } from '../live/live-listener.ts';
import type { Identity, LiveTls } from '../live/live-tls.ts';
import type { WorkerContext } from '../live/worker-context.ts';
import { ClientHello } from '../parse/client-hello.ts';
import { HelloRecords } from '../parse/hello-records.ts';
import { FRESH_TICKS, LINGER_MS } from './patience.ts';
import { ProxyHeaderReader } from './proxy-header-reader.ts';
import { refuseConnection } from './refuse-connection.ts';
import { failureText, handshakeResult } from './tls-results.ts';

/** What is known of a connection once its handshake is done. */
export interface Secured {
  readonly socket: SecureSocket;
  readonly localPort: number;
  /** As a PROXY header named them; null: the connection's own. */
  readonly ends: ProxyEnds | null;
  readonly hello: ClientHello;
  readonly identity: Identity;
  /** Of the client, verified; null: it showed none. */
  readonly certificate: X509Certificate | null;
}

/** The listener. After one of the two it knows the opening no more. */
export interface SecuringOwner {
  readonly live: LiveListener;
  onSecured(opening: TlsOpening, secured: Secured): void;
  onUnsecured(opening: TlsOpening): void;
  /** A plain request came; answers it, and closes. False: nothing is said, the connection is closed. */
  answerPlain(socket: Socket): boolean;
}

/** A client that sends byte by byte must not make us keep an object for each. */
const PARTS_MAX = 16;
/** An HTTP method begins so, and no other protocol that ends up here by mistake is helped by an answer. */
const isLetter = (byte: number): boolean => byte >= 65 && byte <= 90;

/** Of a name asked for, in the log; no host name is longer. */
const NAME_CHARS_MAX = 253;

/** `linger`: our last word is on its way. */
const S = { header: 0, hello: 1, handshake: 2, linger: 3, over: 4 } as const;

function ignore(): void {}

export class TlsOpening extends Deadline implements HandshakeTarget, Aged<TlsOpening> {
  older: TlsOpening | null = null;
  newer: TlsOpening | null = null;
  readonly #raw: Socket;
  readonly #localPort: number;
  readonly #owner: SecuringOwner;
  readonly #tls: LiveTls;
  readonly #context: WorkerContext;
  readonly #beganTick: number;
  #state: number = S.hello;
  #header: ProxyHeaderReader | null = null;
  #ends: ProxyEnds | null = null;
  readonly #records = new HelloRecords();
  readonly #hello = new ClientHello();
  #parts: Buffer[] = [];
  #hasBytes = false;
  #identity: Identity | null = null;
  #secure: SecureSocket | null = null;
  readonly #onData = (bytes: Buffer): void => this.#take(bytes);
  readonly #onEnd = (): void => this.#ended();
  readonly #onClose = (): void => this.#over();

  constructor(raw: Socket, localPort: number, owner: SecuringOwner, tls: LiveTls, context: WorkerContext) {
    super();
    this.#raw = raw;
    this.#localPort = localPort;
    this.#owner = owner;
    this.#tls = tls;
    this.#context = context;
    this.#beganTick = context.wheel.now;
    raw.on('error', ignore); // 'close' follows
    raw.on('close', this.#onClose);
  }

  begin(): void {
    const { live } = this.#owner;
    this.#context.wheel.set(this, live.spec.timeouts.headerMs);
    if (live.spec.proxyProtocol !== 'off') {
      const isTrusted = live.trusted.has(plainAddress(this.#raw.remoteAddress ?? ''));
      if (isTrusted) {
        this.#state = S.header;
        this.#header = new ProxyHeaderReader();
      } else if (live.spec.proxyProtocol === 'require') return this.#refuseHeader('the sender is not trusted');
    }
    this.#raw.on('data', this.#onData);
    this.#raw.on('end', this.#onEnd);
  }

  /** Its place is wanted: closes if nothing came, and it has not only just connected. */
  closeAtRest(): boolean {
    if (this.#hasBytes || this.#context.wheel.now < this.#beganTick + FRESH_TICKS) return false;
    this.#raw.destroy();
    return true;
  }

  /** Another handshake needs its place more. */
  evict(): void {
    if (this.#state === S.linger) this.#destroy();
    else this.#fail('evicted', 'more handshakes were under way than allowed');
  }

  cut(): void {
    this.#destroy();
  }

  #take(bytes: Buffer): void {
    this.#hasBytes = true;
    try {
      if (this.#state === S.header) this.#readHeader(bytes);
      else if (this.#state === S.hello) this.#readHello(bytes);
    } catch (error) {
      this.#context.log('error', 'a bug: the connection was closed', { listener: this.#owner.live.spec.name, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
      this.#destroy();
    }
  }

  // ---- the PROXY header

  #readHeader(bytes: Buffer): void {
    const reader = this.#header!;
    switch (reader.take(bytes)) {
      case 'more':
        return;
      case 'bad':
        return this.#refuseHeader('the header is malformed');
      case 'none':
        if (this.#owner.live.spec.proxyProtocol === 'require') return this.#refuseHeader('there is no header');
        break;
      case 'ok': {
        const { isLocal, sourceAddress, sourcePort, destinationAddress, destinationPort } = reader.header;
        if (!isLocal) this.#ends = { sourceAddress, sourcePort, destinationAddress, destinationPort };
      }
    }
    this.#header = null;
    this.#state = S.hello;
    if (reader.rest.length > 0) this.#readHello(reader.rest);
  }

  #refuseHeader(detail: string): void {
    refuseConnection(this.#owner.live, this.#context, 'proxy-header', this.#client, detail);
    this.#destroy();
  }

  // ---- the hello

  #readHello(bytes: Buffer): void {
    if (this.#parts.push(bytes) === PARTS_MAX) this.#parts = [Buffer.concat(this.#parts)];
    switch (this.#records.read(bytes, 0, bytes.length, this.#hello)) {
      case 'more':
        return;
      case 'none':
        return this.#refusePlain();
      case 'bad':
        return this.#alert(ALERT.decodeError, 'broken-hello', 'the ClientHello is broken or too large');
      case 'ok':
        this.#shakeHands();
    }
  }

  /** Another protocol; HTTP in the clear is told what is wrong. */
  #refusePlain(): void {
    const isHttp = isLetter(this.#parts[0]![0]!);
    const isAnswered = isHttp && this.#owner.answerPlain(this.#raw);
    this.#count(isHttp ? 'plain-text' : 'no-tls', isHttp ? 'it speaks in the clear' : 'it is no TLS');
    if (isAnswered) this.#closeSoftly();
    else this.#destroy();
  }

  #shakeHands(): void {
    const identity = this.#tls.identityFor(this.#hello.serverName);
    if (identity === null) return this.#alert(ALERT.unrecognizedName, 'unknown-name', 'no certificate is for the name it asks for');
    const raw = this.#raw;
    raw.off('data', this.#onData);
    raw.off('end', this.#onEnd);
    // The connection outlives this by far, and must not keep it, and the hello.
    raw.off('close', this.#onClose);
    raw.pause();
    // Given back, so that TLS begins with it.
    raw.unshift(this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts));
    this.#parts = [];
    this.#identity = identity;
    this.#state = S.handshake;
    this.#secure = new SecureSocket(raw, { context: identity.context, alpn: this.#tls.spec.alpn, clientAuth: this.#tls.spec.clientAuth?.mode ?? 'off' }, this);
  }

  /** Told in TLS's own words, so that a client's error says what is wrong. */
  #alert(alert: number, result: TlsResult, detail: string): void {
    this.#count(result, detail);
    this.#raw.write(alertRecord(alert));
    this.#closeSoftly();
  }

  // ---- the handshake

  onSecured(certificate: X509Certificate | null): void {
    if (this.#state !== S.handshake) return;
    const socket = this.#secure!;
    this.#state = S.over;
    this.#context.wheel.forget(this);
    this.#tally(socket.isSessionReused() ? 'resumed' : 'full');
    this.#owner.onSecured(this, { socket, localPort: this.#localPort, ends: this.#ends, hello: this.#hello, identity: this.#identity!, certificate });
  }

  onHandshakeFailed(error: NodeJS.ErrnoException | null): void {
    if (this.#state !== S.handshake) return;
    const result = handshakeResult(error);
    this.#count(result, failureText(error));
    this.#over();
  }

  // ---- the end

  #ended(): void {
    if (this.#hasBytes) this.#count('gone', 'the connection ended before its ClientHello');
    this.#destroy();
  }

  onDeadline(): void {
    if (this.#state === S.header && this.#hasBytes) return this.#refuseHeader('the header did not come in time');
    if (this.#hasBytes) this.#fail('timeout', 'the handshake did not come about in time');
    else this.#destroy();
  }

  #fail(result: TlsResult, detail: string): void {
    this.#count(result, detail);
    this.#destroy();
  }

  get #client(): string {
    return this.#ends?.sourceAddress ?? plainAddress(this.#raw.remoteAddress ?? '');
  }

  #tally(result: TlsResult): void {
    const { counters, base } = this.#owner.live;
    counters[base + listenerColumns.tlsHandshakes + TLS_RESULTS.indexOf(result)]!++;
  }

  #count(result: TlsResult, detail: string): void {
    this.#tally(result);
    const client = this.#client;
    refuseConnection(this.#owner.live, this.#context, 'tls', client, `${result}: ${detail}`);
    const before = this.#tls.failures.take(result, this.#context.clock.monotonicMs());
    if (before === null) return;
    this.#context.log('warn', 'a TLS handshake failed', { listener: this.#owner.live.spec.name, client, name: this.#hello.serverName.slice(0, NAME_CHARS_MAX), result, detail, before });
  }

  /** What was said last is to arrive; until then the connection has its place. */
  #closeSoftly(): void {
    this.#state = S.linger;
    this.#parts = [];
    this.#context.wheel.forget(this);
    this.#raw.off('data', this.#onData);
    this.#raw.off('end', this.#onEnd);
    closeGently(this.#raw, this.#context.clock, LINGER_MS);
  }

  #destroy(): void {
    if (this.#secure === null) this.#raw.destroy();
    else this.#secure.destroy();
    this.#over();
  }

  #over(): void {
    if (this.#state === S.over) return;
    this.#state = S.over;
    this.#parts = [];
    this.#context.wheel.forget(this);
    this.#owner.onUnsecured(this);
  }
}
