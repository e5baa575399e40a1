/** What the admin interface may see and do, asked of the running proxy. */
import type { AdminContext, CommandOutcome, ReloadOutcome } from '../../control-plane/admin/admin-context.ts';
import { version } from '../version.ts';
import { listenerAddresses } from './listener-addresses.ts';
import type { ProxyProcess } from './proxy-process.ts';

export function adminContextOf(proxy: ProxyProcess): AdminContext {
  const { clock, table, events, fleet, rollout, life, backends, options } = proxy;
  return {
    version,
    clock,
    table,
    events,
    node: options.node,
    startedAtMs: proxy.startedAtMs,
    counters: fleet.counters,
    get addresses() {
      if (options.advertise.length > 0) return options.advertise;
      return rollout.running === null ? [] : listenerAddresses(rollout.running);
    },
    running: () => rollout.running,
    roleStatus: (pool) => backends.backends?.roleStatus(pool) ?? null,
    ticketKeys: () => proxy.tickets.state,
    lastReload: () => rollout.lastReload,
    workers: () => fleet.views(),
    probeCounts: (pool) => backends.backends?.probeCounts(pool) ?? null,
    state: () => life.state,
    notReadyReasons: () => proxy.notReadyReasons(),
    backendNote: (row) => {
      const detail = backends.backends?.detail(row);
      if (detail === undefined) return { sinceMs: 0, reason: '', operator: null };
      const { sinceMs, reason, operator } = detail;
      return { sinceMs, reason, operator: operator === null ? null : { state: operator.state, weight: operator.weight, reason: operator.reason, by: operator.by, atMs: operator.stampMs } };
    },
    membership: () => proxy.place?.membership ?? null,
    memberOrders: () => proxy.place?.orders ?? null,
    tier: () => proxy.place?.figures() ?? null,
    checksOf: (row) => backends.backends?.checksOf(row) ?? [],
    configDesk: () => proxy.place?.desk ?? null,
    configText: () => rollout.text,
    configVersions: () => rollout.versions,
    setBackendState: async (pool, address, change): Promise<CommandOutcome> => {
      const outcome = await backends.backends?.setState(pool, address, change, options.node);
      if (outcome === undefined) return { kind: 'conflict', text: 'the proxy is starting' };
      if (outcome.kind === 'set') return { kind: 'done' };
      if (outcome.kind === 'no-such-backend') return { kind: 'conflict', text: `the running config has no ${address} in pool ${pool}` };
      return { kind: 'conflict', text: `the config file itself says ${outcome.state}: lift it there` };
    },
    drain: (reason) => Promise.resolve(life.drain(reason)),
    undrain: (reason) => {
      const outcome = life.undrain(reason);
      // What the tier was told of this member would drain it again after a restart.
      const orders = proxy.place?.orders ?? null;
      if (outcome.kind === 'done' && orders?.get(options.node)?.state === 'drain') orders.set(options.node, 'ready', reason);
      return Promise.resolve(outcome);
    },
    reload: async (): Promise<ReloadOutcome> => proxy.reload('asked by the admin interface'),
  };
}
