/**
 * Members of one tier over one store in memory, in real time, each with the
 * admin interface of its own over a table of its own, and what it leaves beside
 * its record made as a process makes it. `await using` ends all of it.
 */
import { systemClock } from '../../src/base/clock.ts';
import { systemRandom } from '../../src/base/random.ts';
import { BesideSource } from '../../src/cli/run/beside-source.ts';
import { tierAnswer, type TierAnswer } from '../../src/control-plane/admin/answers.ts';
import { MemberOrders } from '../../src/control-plane/member-orders.ts';
import type { Beside } from '../../src/control-plane/membership/beside.ts';
import { TierLink } from '../../src/control-plane/membership/tier-link.ts';
import { TierMemoryStore } from '../../src/control-plane/store/tier-memory-store.ts';
import type { Snapshot } from '../../src/shared/snapshot.ts';
import { AdminWorld, LOADED_AT_MS, startAdmin, type StartedAdmin } from './admin-world.ts';
import { FickleTierStore } from './fickle-tier-store.ts';
import { until } from './weir-process.ts';

export interface AdminMember {
  readonly world: AdminWorld;
  readonly link: TierLink;
  readonly way: FickleTierStore;
  readonly admin: StartedAdmin;
  /** What it tells of draining backends. */
  draining: NonNullable<Beside['draining']>;
  get(path: string): Promise<Response>;
  /** GET /api/v1/tier. */
  tier(query?: string): Promise<TierAnswer>;
}

/** A lease that no slow machine lets end. */
const LEASE_MS = 20_000;

export class AdminTier implements AsyncDisposable {
  readonly store = new TierMemoryStore({ clock: systemClock });
  readonly members: AdminMember[] = [];
  readonly #snapshot: Partial<Snapshot>;
  readonly #leaseMs: number;

  constructor(snapshot: Partial<Snapshot> = {}, leaseMs = LEASE_MS) {
    this.#leaseMs = leaseMs;
    this.#snapshot = { ...snapshot, tier: { name: 'edge', store: 'redis://tests', heartbeatMs: 50, leaseMs, probers: 3 } };
  }

  /** Ready members that all know of each other. */
  async up(...nodes: string[]): Promise<AdminMember[]> {
    const added = await Promise.all(nodes.map((node) => this.#add(node)));
    const isUp = ({ link }: AdminMember): boolean => link.state.phase === 'connected' && link.leader !== null && [...link.members.values()].filter(({ state }) => state === 'ready').length === this.members.length;
    await until(() => this.members.every(isUp));
    return added;
  }

  async #add(node: string): Promise<AdminMember> {
    const world = new AdminWorld({ node, snapshot: this.#snapshot });
    const way = new FickleTierStore(this.store, systemClock);
    const log = { warn: (text: string) => void world.logged.push({ level: 'warn', text }), error: (text: string) => void world.logged.push({ level: 'error', text }) };
    const link = new TierLink({
      store: way.store,
      id: node,
      previousIncarnation: null,
      history: () => null,
      clock: systemClock,
      random: systemRandom,
      timing: () => ({ heartbeatMs: 50, leaseMs: this.#leaseMs, probers: 3 }),
      record: { zone: `zone-${node}`, addresses: [`192.0.2.${this.members.length + 1}`], software: '1.2.3', sinceMs: LOADED_AT_MS },
      log,
      events: {
        onVerdict: () => undefined,
        onRole: () => undefined,
        onTickets: () => undefined,
        onRead: () => undefined,
        onOperatorState: (key, text) => orders.accept(key, text),
        onMembers: () => undefined,
        onSuspicions: () => undefined,
        onConfig: () => undefined,
        onState: () => undefined,
      },
    });
    const orders = new MemberOrders({
      clock: systemClock,
      node,
      seal: null,
      log,
      put: (entry) => link.putOperatorState(entry),
      follow: ({ state }) => {
        world.proxyState = state === 'drain' ? 'draining' : 'ready';
        link.setState(state === 'drain' ? 'draining' : 'ready');
      },
    });
    world.tierMembership = link;
    world.orders = orders;
    const admin = await startAdmin(world);
    const get = (path: string): Promise<Response> => fetch(admin.url + path);
    const member: AdminMember = {
      world, link, way, admin, draining: {}, get,
      tier: async (query = '') => tierAnswer.parse(await (await get(`/api/v1/tier${query}`)).json()),
    };
    const beside = new BesideSource(systemClock, world, () => member.draining);
    link.besideSource = (watched) => beside.text(watched);
    link.setState('ready');
    this.members.push(member);
    return member;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map(({ admin }) => admin.close()));
    await Promise.all(this.members.map(({ link }) => link.stop()));
  }
}
