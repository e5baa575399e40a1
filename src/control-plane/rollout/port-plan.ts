/**
 * Which port each bind of a snapshot gets, and whether it may be bound at all:
 * one exclusive bind of every new address, before any worker binds it. All are
 * held until each has been tried, so that two binds of port 0 get two ports,
 * and then given free for the workers.
 *
 * Between that and the workers' own bind another process may still take the
 * port. The workers then refuse the config, unless that process shares ports
 * as they do: two proxies started together, at boot say. So once the workers
 * have bound, the sockets are counted.
 */
import { bindExclusively, type HeldBind, type Transport } from '../../net/exclusive-bind.ts';
import { listeningSockets } from '../../net/listening-sockets.ts';
import type { BindSpec, ListenerSpec } from '../../shared/snapshot.ts';

export interface PortPlan {
  /** Listener by listener, bind by bind. */
  readonly ports: readonly (readonly number[])[];
  readonly problems: readonly string[];
  /** What was tried, and is new to the workers. */
  readonly fresh: readonly FreshBind[];
  /** True if a free port was chosen that somebody may take before the workers do: worth another try. */
  readonly chosen: boolean;
}

export interface FreshBind {
  readonly listener: string;
  readonly transport: Transport;
  readonly bind: BindSpec;
  readonly port: number;
}

/** What the workers listen on now. */
export interface BoundListeners {
  readonly listeners: readonly ListenerSpec[];
  readonly ports: readonly (readonly number[])[];
}

export async function planPorts(listeners: readonly ListenerSpec[], bound: BoundListeners | null): Promise<PortPlan> {
  const held: HeldBind[] = [];
  const problems: string[] = [];
  const ports: number[][] = [];
  const fresh: FreshBind[] = [];
  let chosen = false;
  for (const listener of listeners) {
    const own: number[] = [];
    const transport = transportOf(listener);
    for (const bind of listener.binds) {
      const port = bind.port === 0 ? portKeptBy(bound, listener, bind) : bind.port;
      if (port !== 0 && isBoundByUs(bound, transport, bind.host, port)) {
        own.push(port);
        continue;
      }
      const attempt = await bindExclusively(bind.host, port, transport);
      if (attempt.kind === 'held') {
        held.push(attempt);
        fresh.push({ listener: listener.name, transport, bind, port: attempt.port });
      } else problems.push(`listener ${listener.name}: ${explain(attempt.code, attempt.text, bind)}`);
      own.push(attempt.kind === 'held' ? attempt.port : port);
      chosen ||= port === 0;
    }
    ports.push(own);
  }
  await Promise.all(held.map((bind) => bind.release()));
  return { ports, problems, fresh, chosen };
}

/** One text for each new bind at which more sockets listen than ours, one a worker, can be. */
export async function findShared(fresh: readonly FreshBind[], workers: number): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const { listener, transport, bind, port } of fresh) {
    const sockets = await listeningSockets(bind.host, port, transport);
    if (sockets !== null && sockets > workers) problems.push(`listener ${listener}: ${bind.text} is in use by another process`);
  }
  return problems;
}

/** A listener keeps the free port it was given for as long as the bind stays in it. */
function portKeptBy(bound: BoundListeners | null, { name, protocol }: ListenerSpec, bind: BindSpec): number {
  const at = bound?.listeners.findIndex((listener) => listener.name === name && transportOf(listener) === transportOf({ protocol })) ?? -1;
  if (bound === null || at === -1) return 0;
  const index = bound.listeners[at]!.binds.findIndex(({ text }) => text === bind.text);
  return index === -1 ? 0 : bound.ports[at]![index]!;
}

/**
 * Our own workers hold it already, under whatever listener: an exclusive bind
 * would fail because of them. A wildcard and a single address of one port
 * overlap, so there too the check could only find ourselves.
 */
function isBoundByUs(bound: BoundListeners | null, transport: Transport, host: string | null, port: number): boolean {
  if (bound === null) return false;
  return bound.listeners.some((listener, at) =>
    transportOf(listener) === transport && listener.binds.some((bind, index) => bound.ports[at]![index] === port && (bind.host === host || isWildcard(bind.host) || isWildcard(host))),
  );
}

/** A port of one is another than the same number of the other. */
function transportOf({ protocol }: Pick<ListenerSpec, 'protocol'>): Transport {
  return protocol === 'udp' ? 'udp' : 'tcp';
}

function isWildcard(host: string | null): boolean {
  return host === null || host === '0.0.0.0' || host === '::';
}

function explain(code: string, text: string, bind: BindSpec): string {
  if (code === 'EADDRINUSE') return `${bind.text} is in use by another process`;
  if (code === 'EADDRNOTAVAIL') return `${bind.text}: ${bind.host} is not an address of this machine`;
  if (code === 'EACCES') return `${bind.text}: this user may not bind port ${bind.port}`;
  return `${bind.text}: ${text}`;
}
