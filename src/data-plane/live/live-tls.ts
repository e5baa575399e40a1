/**
 * The TLS of a listener in one worker: a context for each set of certificates
 * that is shown together, made once, and the choice among them by the name a
 * client asks for. It is kept across reloads that leave it as it is.
 */
import { createSecureContext, type SecureContext } from 'node:tls';
import { yieldToLoop } from '../../base/clock.ts';
import { wildcardOf } from '../../net/certificate-names.ts';
import { contextOptions } from '../../net/tls-context.ts';
import type { TicketKeys } from '../../net/ticket-keys.ts';
import type { CertificateSpec, TlsSpec } from '../../shared/snapshot.ts';
import { FailedHandshakes } from './failed-handshakes.ts';

/** What one client is shown. */
export class Identity {
  readonly context: SecureContext;
  readonly #names: ReadonlySet<string>;

  constructor(context: SecureContext, names: ReadonlySet<string>) {
    this.context = context;
    this.#names = names;
  }

  /** `host` in lower case, without port and final dot: whether one of its certificates is for it. */
  covers(host: string): boolean {
    return this.#names.has(host) || this.#names.has(wildcardOf(host));
  }
}

export class LiveTls {
  readonly spec: TlsSpec;
  readonly failures = new FailedHandshakes();
  readonly #first: Identity;
  readonly #byName: ReadonlyMap<string, Identity>;

  private constructor(spec: TlsSpec, first: Identity, byName: ReadonlyMap<string, Identity>) {
    this.spec = spec;
    this.#first = first;
    this.#byName = byName;
  }

  static async make(spec: TlsSpec, tickets: TicketKeys): Promise<LiveTls> {
    const { certificates } = spec;
    const made = new Map<string, Identity>();
    const shown = async (indexes: readonly number[]): Promise<Identity> => {
      const key = indexes.join();
      const known = made.get(key);
      if (known !== undefined) return known;
      // Reading a key takes a millisecond or two.
      await yieldToLoop();
      const pairs = indexes.map((index) => certificates[index]!);
      const context = createSecureContext(contextOptions(spec, pairs));
      if (spec.tickets) tickets.serve(context);
      const identity = new Identity(context, new Set(pairs.flatMap(({ names }) => names)));
      made.set(key, identity);
      return identity;
    };
    const byName = new Map<string, Identity>();
    for (const name of new Set(certificates.flatMap(({ names }) => names))) byName.set(name, await shown(shownFor(name, certificates)));
    const [firstName] = certificates[0]!.names;
    const first = await shown(firstName === undefined ? [0] : withFirst(shownFor(firstName, certificates), certificates));
    return new LiveTls(spec, first, byName);
  }

  /** `name` as the client asked for it, in lower case, '' for none; null: nothing is shown. */
  identityFor(name: string): Identity | null {
    const found = name === '' ? undefined : (this.#byName.get(name) ?? this.#byName.get(wildcardOf(name)));
    return found ?? (this.spec.unknownName === 'refuse' ? null : this.#first);
  }
}

/** Of the certificates for a name the first of each type of key. */
function shownFor(name: string, certificates: readonly CertificateSpec[]): number[] {
  const byType = new Map<string, number>();
  for (const [index, { names, keyType }] of certificates.entries()) {
    if (names.includes(name) && !byType.has(keyType)) byType.set(keyType, index);
  }
  return [...byType.values()];
}

/** The default is the first certificate, with what stands beside it for the same name. */
function withFirst(indexes: readonly number[], certificates: readonly CertificateSpec[]): number[] {
  const { keyType } = certificates[0]!;
  return [0, ...indexes.filter((index) => certificates[index]!.keyType !== keyType)];
}
