/**
 * The tier as one system: members with their usage, leader, versions, traffic
 * over all members, what operators drain and how far that is, and every verdict
 * that is not plainly up with who saw what.
 * It is read from the store, so that any member answers the same; while the
 * store is away a member answers what it knew last, and says so.
 */
import { yieldToLoop } from '../../base/clock.ts';
import type { RunningConfig } from '../../observe/metrics-source.ts';
import { labelled } from '../health/row-verdict.ts';
import { parseBeside, type Beside, type Traffic } from '../membership/beside.ts';
import type { Member, Membership } from '../membership/membership.ts';
import type { MemberOrder } from '../member-orders.ts';
import { operatorKey } from '../operator-entry.ts';
import { readRollout } from '../rollout/config-texts.ts';
import type { ConfigState, RolloutEntry } from '../store/tier-store.ts';
import { tierDrain } from '../tier-drain.ts';
import type { AdminContext } from './admin-context.ts';
import type { MemberAnswer, TierAnswer, TrafficAnswer } from './answers.ts';
import { backendTotals, compareText, ROWS_PER_TURN, sortedBackends, type Placed } from './backend-views.ts';

/** Ids and checks asked of the store in one step. */
const ASKED_MAX = 500;
/** For how long a pool that was asked about keeps being told by the members. */
const WATCH_MS = 15_000;

export async function* tierText(context: AdminContext, pool: string | null): AsyncGenerator<string, void> {
  const config = context.running();
  const membership = context.membership();
  const members = membership === null ? [] : [...membership.members.values()].sort((a, b) => compareText(a.id, b.id));
  if (membership !== null && pool !== null) await membership.store.watch(pool, WATCH_MS).catch(() => undefined);
  const besides = membership === null ? new Map<string, Beside>() : await besidesOf(membership, members);
  yield JSON.stringify(tierHead(context, members, besides, pool)).slice(0, -1);
  yield* listText('draining', config === null ? [] : drainRows(context, config, members, besides));
  yield* listText('verdicts', config === null ? [] : verdictRows(context, config, membership));
  yield '}\n';
}

async function* listText(name: string, slices: AsyncIterable<readonly unknown[]> | Iterable<readonly unknown[]>): AsyncGenerator<string, void> {
  yield `,"${name}":[`;
  let separator = '';
  for await (const rows of slices) {
    for (const row of rows) {
      yield separator + JSON.stringify(row);
      separator = ',';
    }
  }
  yield ']';
}

function tierHead(context: AdminContext, members: readonly Member[], besides: ReadonlyMap<string, Beside>, pool: string | null): Omit<TierAnswer, 'draining' | 'verdicts'> {
  const config = context.running();
  const membership = context.membership();
  return {
    name: config?.snapshot.tier.name ?? 'default',
    ...controlPlaneOf(config, membership),
    leader: membership?.leader?.member ?? null,
    ...configAnswers(membership?.config ?? null),
    members: members.map((member) => memberView(member, besides.get(member.id) ?? {}, context.memberOrders()?.get(member.id) ?? null)),
    pools: poolTotals([...besides.values()], pool),
    roles: roleRows(context, config),
  };
}

/** Where this member takes its view from; a tier of one has nobody to be cut off from. */
export function controlPlaneOf(config: RunningConfig | null, membership: Membership | null): Pick<TierAnswer, 'controlPlane' | 'reason'> {
  if (config === null || membership === null || config.snapshot.tier.store === 'none') return { controlPlane: 'embedded', reason: '' };
  const { phase, reason } = membership.state;
  return phase === 'connected' || phase === 'settling' ? { controlPlane: 'connected', reason } : { controlPlane: 'autonomous', reason };
}

function configAnswers(known: ConfigState | null): Pick<TierAnswer, 'config' | 'rollout'> {
  const head = known?.head ?? null;
  const rollout = known?.rollout ?? null;
  return {
    config: head === null ? null : { version: head.number, hash: head.sha, history: head.history },
    rollout: rollout === null ? null : rolloutView(rollout),
  };
}

/** A text that this release cannot read says nothing; that there is a rollout stands beside it. */
function rolloutView({ number, startedMs, text }: RolloutEntry): TierAnswer['rollout'] {
  const read = readRollout(text);
  const canaries = read?.phase === 'canary' ? read.members.map(({ id }) => id) : [];
  return { version: number, startedMs: Math.round(startedMs), phase: read?.phase ?? null, by: read?.by ?? '', canaries };
}

function roleRows(context: AdminContext, config: RunningConfig | null): TierAnswer['roles'] {
  const rows = (config?.snapshot.pools ?? []).flatMap(({ name: pool }) => {
    const status = context.roleStatus(pool);
    return status === null ? [] : [{ pool, primary: status.primary, epoch: status.epoch, phase: status.phase, waitsFor: [...status.waitsFor] }];
  });
  return rows.sort((a, b) => compareText(a.pool, b.pool));
}

/** What the members left beside their records; those that cannot be had are missing. */
async function besidesOf(membership: Membership, members: readonly Member[]): Promise<Map<string, Beside>> {
  const besides = new Map<string, Beside>();
  for (let i = 0; i < members.length; i += ASKED_MAX) {
    const ids = members.slice(i, i + ASKED_MAX).map(({ id }) => id);
    const texts = await membership.store.beside(ids).catch(() => null);
    if (texts === null) break;
    for (const [id, text] of texts) besides.set(id, parseBeside(text));
  }
  return besides;
}

function memberView({ id, state, record }: Member, { usage, config, software }: Beside, order: MemberOrder | null): MemberAnswer {
  return {
    id,
    state,
    reason: record.reason,
    drain: order?.state === 'drain' ? { reason: order.reason, by: order.by, at: new Date(order.stampMs).toISOString() } : null,
    zone: record.zone,
    addresses: [...record.addresses],
    since: new Date(record.sinceMs).toISOString(),
    software: software ?? record.software,
    config: config === undefined || config === null ? null : { version: config.number, hash: config.sha, effectiveHash: config.effectiveSha },
    usage: usage === undefined ? null : { cpu: usage.cpu, rssBytes: usage.rssBytes, workers: usage.workers, connections: usage.connections, busiestWorker: usage.busiest },
  };
}

function poolTotals(besides: readonly Beside[], watched: string | null): TierAnswer['pools'] {
  const pools: TierAnswer['pools'] = {};
  for (const { pools: told = {}, watched: perBackend = {} } of besides) {
    for (const [name, traffic] of Object.entries(told)) pools[name] = { ...pools[name], ...sum(pools[name], traffic) };
    if (watched === null || perBackend[watched] === undefined) continue;
    const backends = (pools[watched]?.backends ?? {});
    for (const [address, traffic] of Object.entries(perBackend[watched])) backends[address] = sum(backends[address], traffic);
    pools[watched] = { ...(pools[watched] ?? sum(undefined, [0, 0, 0])), backends };
  }
  return Object.fromEntries(Object.entries(pools).sort(([a], [b]) => compareText(a, b)));
}

function sum(former: TrafficAnswer | undefined, [requests, failures, inFlight]: Traffic): TrafficAnswer {
  return { requests: (former?.requests ?? 0) + requests, failures: (former?.failures ?? 0) + failures, inFlight: (former?.inFlight ?? 0) + inFlight };
}

/** What operators keep from new requests, and how far the members are with it, as they told themselves. */
async function* drainRows(context: AdminContext, config: RunningConfig, members: readonly Member[], besides: ReadonlyMap<string, Beside>): AsyncGenerator<TierAnswer['draining'], void> {
  const ids = members.map(({ id }) => id);
  const all = await sortedBackends(config);
  for (let i = 0; i < all.length; i += ROWS_PER_TURN) {
    yield all.slice(i, i + ROWS_PER_TURN).flatMap(({ pool, backend: { address }, row }) => {
      const operator = context.table.backend(row).state === 'ready' ? null : context.backendNote(row).operator;
      if (operator === null || operator.state === 'ready') return [];
      const { state, reason, by, atMs } = operator;
      const { drained, inFlight, busy, unheard } = tierDrain(operatorKey(pool.name, address), atMs, ids, besides);
      return [{ pool: pool.name, address, state, reason, by, at: new Date(atMs).toISOString(), drained, inFlight, busy: [...busy], unheard: [...unheard] }];
    });
    await yieldToLoop();
  }
}

/** What is not plainly up, a slice of backends at a time. */
async function* verdictRows(context: AdminContext, config: RunningConfig, membership: Membership | null): AsyncGenerator<TierAnswer['verdicts'], void> {
  const all = await sortedBackends(config);
  for (let i = 0; i < all.length; i += ROWS_PER_TURN) {
    const unwell = all.slice(i, i + ROWS_PER_TURN).filter(({ row }) => {
      const { verdict, ejected } = context.table.backend(row);
      return verdict !== 'up' || ejected;
    });
    const seen = await sightings(context, membership, unwell);
    yield unwell.map((placed) => verdictRow(context, placed, seen));
    await yieldToLoop();
  }
}

type Sightings = ReadonlyMap<string, ReadonlyMap<string, string>>;

async function sightings(context: AdminContext, membership: Membership | null, unwell: readonly Placed[]): Promise<Sightings> {
  const checks = [...new Set(unwell.flatMap(({ row }) => context.checksOf(row).map(({ key }) => key)))];
  if (membership === null || checks.length === 0) return new Map();
  return membership.store.reports(checks).catch(() => new Map());
}

function verdictRow(context: AdminContext, { pool, backend, row }: Placed, seen: Sightings): TierAnswer['verdicts'][number] {
  const { verdict, ejected } = context.table.backend(row);
  const note = context.backendNote(row);
  const since = new Date(note.sinceMs).toISOString();
  const reports = context.checksOf(row).flatMap((check) =>
    [...(seen.get(check.key) ?? [])].flatMap(([member, text]) => {
      const parts = /^(up|down) (\d+) (.*)$/s.exec(text);
      return parts === null ? [] : [{ member, verdict: parts[1] as 'up' | 'down', reason: labelled(check, parts[3]!), at: new Date(Number(parts[2])).toISOString() }];
    }),
  );
  const own = { member: context.node, verdict, reason: note.reason, at: since };
  return { pool: pool.name, address: backend.address, verdict, ejected, since, seenBy: reports.length === 0 ? [own] : reports.sort((a, b) => compareText(a.member, b.member)) };
}

/** A member's own part of the totals that `beside` carries: requests, failures, in flight of each pool. */
export function poolTraffic(context: AdminContext, config: RunningConfig): Record<string, Traffic> {
  const totals: Record<string, Traffic> = {};
  let next = 0;
  for (const { name, backends } of config.snapshot.pools) {
    const total: Traffic = [0, 0, 0];
    for (let i = 0; i < backends.length; i++) {
      const row = config.rows.backends[next++]!;
      const { requests, failures } = backendTotals(context, row);
      total[0] += requests;
      total[1] += failures;
      total[2] += context.table.backend(row).inFlight;
    }
    totals[name] = total;
  }
  return totals;
}
