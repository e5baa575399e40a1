/** A parsed request head as routing asks it: each string is made when asked for, none before. */
import { forwardedClient } from '../../net/client-address.ts';
import type { AddressSet } from '../../net/address.ts';
import { hostEnd } from '../parse/authority.ts';
import { latin1 } from '../parse/bytes.ts';
import { FIELD } from '../parse/field-names.ts';
import { METHOD, type RequestHead } from '../parse/request-head.ts';
import type { RouteQuery } from './route-query.ts';

/** By METHOD number; 'other' is read from the bytes. */
const METHOD_TEXT = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'];

/** One object serves all requests of a worker: routing neither waits nor nests. */
export class HeadQuery implements RouteQuery {
  #head!: RequestHead;
  #client = '';

  /** `client`: the client address, found before. */
  open(head: RequestHead, client: string): this {
    this.#head = head;
    this.#client = client;
    return this;
  }

  get method(): string {
    const head = this.#head;
    return head.method === METHOD.other ? latin1(head.bytes, head.methodStart, head.methodEnd) : METHOD_TEXT[head.method]!;
  }

  get pathMayReadTwoWays(): boolean {
    return this.#head.pathMayReadTwoWays;
  }

  host(): string {
    return authorityHost(this.#head);
  }

  path(): string {
    const head = this.#head;
    return head.pathStart === head.pathEnd ? '/' : latin1(head.bytes, head.pathStart, head.pathEnd);
  }

  query(): string {
    const head = this.#head;
    return head.pathEnd < head.targetEnd ? latin1(head.bytes, head.pathEnd + 1, head.targetEnd) : '';
  }

  header(name: string): readonly string[] {
    const { bytes, fields } = this.#head;
    const values: string[] = [];
    for (let i = 0; i < fields.count; i++) {
      if (fields.nameEnd[i]! - fields.nameStart[i]! !== name.length) continue;
      if (latin1(bytes, fields.nameStart[i]!, fields.nameEnd[i]!).toLowerCase() === name) values.push(latin1(bytes, fields.valueStart[i]!, fields.valueEnd[i]!));
    }
    return values;
  }

  clientAddress(): string {
    return this.#client;
  }

  /** Host as it came, port included; '' if there is none. */
  authority(): string {
    return latin1(this.#head.bytes, this.#head.authorityStart, this.#head.authorityEnd);
  }
}

/** In lower case, without port and final dot; '' if there is none. */
export function authorityHost(head: RequestHead): string {
  const end = hostEnd(head.bytes, head.authorityStart, head.authorityEnd);
  const host = latin1(head.bytes, head.authorityStart, end).toLowerCase();
  return host.endsWith('.') ? host.slice(0, -1) : host;
}

/** The rightmost untrusted address, for a peer that is trusted. */
export function clientBehind(head: RequestHead, peerAddress: string, trusted: AddressSet): string {
  const { bytes, fields } = head;
  const values: string[] = [];
  for (let i = 0; i < fields.count; i++) {
    if (fields.id[i] === FIELD.xForwardedFor) values.push(latin1(bytes, fields.valueStart[i]!, fields.valueEnd[i]!));
  }
  return forwardedClient(peerAddress, trusted, values);
}
