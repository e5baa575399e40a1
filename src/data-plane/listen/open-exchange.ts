/** From a parsed head to what the pipeline and the answer are held to. */
import { plainAddress } from '../../net/address.ts';
import type { Exchange, ShownCertificate } from '../exchange.ts';
import type { Identity } from '../live/live-tls.ts';
import { NotedHead } from '../noted-head.ts';
import { latin1 } from '../parse/bytes.ts';
import { FIELD } from '../parse/field-names.ts';
import type { RequestHead } from '../parse/request-head.ts';
import { clientCertificateLine } from '../relay/client-certificate.ts';
import { clientBehind } from '../route/head-query.ts';
import type { AnswerTerms } from './http1-answer.ts';
import { Introduction } from './introduction.ts';
import type { Secured } from './tls-opening.ts';

/** Fills `x` (its listener is set) and `terms` for the request whose head ends at `bodyStart`. `isLogged`: there is an access log. */
export function openExchange(x: Exchange, terms: AnswerTerms, head: RequestHead, bodyStart: number, isLogged: boolean): void {
  const { trusted, spec } = x.listener;
  x.reset();
  x.requestBytes = head.bytes;
  x.requestStart = head.methodStart;
  x.requestEnd = bodyStart;
  if (isLogged) (x.noted ??= new NotedHead()).note(head);
  x.method = head.method;
  x.hasBody = head.chunked || head.contentLength > 0;
  x.isBodyComplete = !x.hasBody;
  x.isTrusted = !trusted.isEmpty && trusted.has(x.peerAddress);
  x.clientAddress = x.isTrusted ? clientBehind(head, x.peerAddress, trusted) : x.peerAddress;
  x.wantsUpgrade = head.upgrade && !x.hasBody && !isH2c(head);
  x.expectsContinue = head.expectContinue;
  terms.minorVersion = head.minorVersion;
  terms.method = head.method;
  terms.via = spec.via;
  terms.edits = null;
  terms.closes = head.close;
}

type Scheme = Exchange['scheme'];

/** Who is at the other end of a connection, in the forms it is asked for. */
export interface Peer {
  readonly address: string;
  /** The lines that name it to backends if it is not trusted, and the name of the one that says what it asked for: its value follows. */
  readonly forwardedLines: Buffer;
}

/** By port and address, one of TLS and one in the clear, so that a client that opens many connections costs one; emptied when so many clients have come to a port. */
const peersByPort = { http: new Map<number, Map<string, Peer>>(), https: new Map<number, Map<string, Peer>>() };
const PEERS_MAX = 4096;

/** `remoteAddress` as the socket gives it. */
export function peerOf(remoteAddress: string, localPort: number, scheme: Scheme = 'http'): Peer {
  let peers = peersByPort[scheme].get(localPort);
  if (peers === undefined) {
    peers = new Map();
    peersByPort[scheme].set(localPort, peers);
  }
  let peer = peers.get(remoteAddress);
  if (peer === undefined) {
    peer = makePeer(plainAddress(remoteAddress), localPort, scheme);
    if (peers.size >= PEERS_MAX) peers.clear();
    peers.set(remoteAddress, peer);
  }
  return peer;
}

/** For an address and a port that others chose, which must not fill the cache. */
export function makePeer(address: string, port: number, scheme: Scheme = 'http'): Peer {
  const text = `X-Forwarded-For: ${address}\r\nX-Forwarded-Proto: ${scheme}\r\nX-Forwarded-Port: ${port}\r\nX-Forwarded-Host: `;
  return { address, forwardedLines: Buffer.from(text, 'latin1') };
}

/** What one connection was shown. */
class Shown implements ShownCertificate {
  readonly serverName: string;
  readonly #identity: Identity;

  constructor(serverName: string, identity: Identity) {
    this.serverName = serverName;
    this.#identity = identity;
  }

  covers(host: string): boolean {
    return this.#identity.covers(host);
  }
}

/** Of a connection over TLS, made for whom a PROXY header named if there was one. */
export function introduceSecured({ ends, localPort, hello, identity, socket, certificate }: Secured): Introduction {
  const { address, forwardedLines } = ends === null ? peerOf(socket.remoteAddress ?? '', localPort, 'https') : makePeer(ends.sourceAddress, ends.destinationPort, 'https');
  const certificateLine = certificate === null ? null : clientCertificateLine(certificate);
  const lines = certificateLine === null ? forwardedLines : Buffer.concat([certificateLine, forwardedLines]);
  return new Introduction(socket, ends, address, ends?.destinationPort ?? localPort, lines, { shown: new Shown(hello.serverName, identity), certificateLine });
}

/** An upgrade to cleartext HTTP/2 would carry requests past every route (RFC 9113 §3.1 dropped it). */
function isH2c(head: RequestHead): boolean {
  const index = head.fields.indexOf(FIELD.upgrade);
  return latin1(head.bytes, head.fields.valueStart[index]!, head.fields.valueEnd[index]!).toLowerCase().includes('h2c');
}
