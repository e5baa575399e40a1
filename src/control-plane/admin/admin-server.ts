/**
 * The admin interface of this proxy: which address it is bound to, and which
 * tokens open it. It takes part in a rollout like the workers: `prepare` binds
 * a new address beside the present one, then `commit` moves over or `abort`
 * goes back. Main thread only.
 */
import { hostname } from 'node:os';
import { BlockList, isIPv6 } from 'node:net';
import type { Log } from '../../observe/log.ts';
import { Metrics } from '../../observe/metrics.ts';
import type { RunningConfig } from '../../observe/metrics-source.ts';
import type { BindSpec } from '../../shared/snapshot.ts';
import type { AdminContext } from './admin-context.ts';
import { AdminListener } from './admin-listener.ts';
import type { Desk } from './dispatch.ts';
import { EventStreams } from './event-streams.ts';
import { TierEventStreams } from './tier-event-streams.ts';
import type { Tokens } from './guards.ts';

export interface AdminOptions {
  readonly context: AdminContext;
  readonly log: Log;
  /** `--admin`; null: the config's `admin.bind`. */
  readonly bind: BindSpec | null;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

export class AdminServer {
  readonly #options: AdminOptions;
  readonly #desk: Desk;
  #tokens: Tokens = { token: null, readToken: null };
  #listener: AdminListener | null = null;
  #prepared: AdminListener | null = null;
  /** The bind given up already because the prepared one overlaps it. */
  #givenUp: BindSpec | null = null;

  constructor(options: AdminOptions) {
    const { context, log } = options;
    this.#options = options;
    this.#desk = {
      context,
      log,
      metrics: new Metrics(context),
      streams: new EventStreams(context.events, context.clock, context.startedAtMs),
      tierStreams: new TierEventStreams(context.clock, () => context.membership()),
      machineNames: machineNames(context.node),
      tokens: () => this.#tokens,
    };
  }

  /** Address and port it answers on; null before the first commit. */
  address(): { readonly host: string | null; readonly port: number } | null {
    return this.#listener === null ? null : { host: this.#listener.bind.host, port: this.#listener.port };
  }

  /** Binds what the next config asks for; its texts, one sentence each, say why that cannot be. */
  async prepare(next: Pick<RunningConfig, 'snapshot'>): Promise<readonly string[]> {
    const bind = this.#options.bind ?? next.snapshot.admin.bind;
    if (next.snapshot.admin.token === null && !isLoopback(bind)) {
      return [`admin: ${bind.text} is not loopback, so admin.token is needed: who reaches it could take over the proxy`];
    }
    if (this.#listener !== null && sameBind(this.#listener.bind, bind)) return [];
    try {
      this.#prepared = await this.#openBeside(bind);
      return [];
    } catch (error) {
      await this.abort();
      return [`admin: cannot listen on ${bind.text}: ${(error as Error).message}`];
    }
  }

  commit({ snapshot }: Pick<RunningConfig, 'snapshot'>): void {
    this.#tokens = { token: snapshot.admin.token, readToken: snapshot.admin.readToken };
    if (this.#prepared === null) return;
    const former = this.#listener;
    this.#listener = this.#prepared;
    this.#prepared = null;
    this.#givenUp = null;
    // Its event streams end too: their readers come back to an address that lasts.
    this.#endStreams();
    if (former !== null) void former.close();
  }

  async abort(): Promise<void> {
    const prepared = this.#prepared;
    this.#prepared = null;
    if (prepared !== null) await prepared.close();
    const bind = this.#givenUp;
    this.#givenUp = null;
    if (bind === null) return;
    try {
      this.#listener = await AdminListener.open(bind, this.#desk);
    } catch (error) {
      this.#options.log.error('the admin interface lost its address', { bind: bind.text, reason: (error as Error).message });
      this.#listener = null;
    }
  }

  /** Resolves when the last call has ended or was cut. */
  async close(): Promise<void> {
    this.#endStreams();
    await Promise.all([this.#listener?.close(), this.#prepared?.close()]);
    this.#listener = null;
    this.#prepared = null;
  }

  #endStreams(): void {
    this.#desk.streams.endAll();
    this.#desk.tierStreams.endAll();
  }

  /** `127.0.0.1:9900` and `0.0.0.0:9900` cannot both be bound: then the present one makes room. */
  async #openBeside(bind: BindSpec): Promise<AdminListener> {
    try {
      return await AdminListener.open(bind, this.#desk);
    } catch (error) {
      const present = this.#listener;
      if (present === null || present.port !== bind.port || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      this.#givenUp = present.bind;
      void present.close();
      return await AdminListener.open(bind, this.#desk);
    }
  }
}

function sameBind(a: BindSpec, b: BindSpec): boolean {
  return a.host === b.host && a.port === b.port;
}

function isLoopback({ host }: BindSpec): boolean {
  return host !== null && loopback.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
}

/** The host name, whole and up to its first dot, and the name the operator gave with --node. */
function machineNames(node: string): ReadonlySet<string> {
  const name = hostname().toLowerCase();
  return new Set([name, name.split('.')[0]!, node.toLowerCase()]);
}
