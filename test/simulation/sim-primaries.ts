/**
 * Which backends of a simulated tier's role pools claim to be the primary, and
 * to whom; and the promise that is held against it all the time: of a pool with
 * a fence no two members ever send to two primaries, of one without not for
 * longer than the bound, unless a member that is cut off still sees the claim of
 * its own.
 */
import { addressOf, ROLE_POOLS, ROLE_PORTS, type RolePoolName, type SimMember } from './sim-member.ts';
import type { Meeting, SimTier } from './sim-tier.ts';

const LOOK_EVERY_MS = 10;

export class SimPrimaries {
  readonly #tier: SimTier;
  readonly #claims = new Set<number>([ROLE_PORTS[0]!]);
  /** Members to whom one of the former primaries alone claims it. */
  #apart: { readonly members: ReadonlySet<SimMember>; readonly port: number } | null = null;
  readonly #stale = new Map<string, { readonly port: number; readonly fromMs: number; readonly sinceMs: number }>();
  /** Until then some message was late or lost, or somebody was cut off. */
  #unfairMs = Number.NEGATIVE_INFINITY;
  /** The longest that a member without a fence went on sending to a former primary while others sent to another. */
  longestMs = 0;

  constructor(tier: SimTier) {
    this.#tier = tier;
  }

  /** Holds the promise against every member, from now on. */
  watch(): void {
    this.#tier.clock.every(LOOK_EVERY_MS, () => ROLE_POOLS.forEach((pool) => this.#look(pool)));
  }

  meets(member: SimMember, port: number): Meeting {
    return this.#claimsTo(member, port) ? 'accept' : 'ECONNREFUSED';
  }

  /** To another backend, after a while without any. */
  move(): void {
    const others = ROLE_PORTS.filter((port) => !this.#claims.has(port));
    const next = others[this.#tier.random.below(others.length)] ?? ROLE_PORTS[0]!;
    this.#claims.clear();
    this.#tier.tell('nobody is the primary');
    this.#tier.clock.after(this.#tier.random.next() * 3000, () => {
      this.#claims.clear();
      this.#claims.add(next);
      this.#tier.tell(`${next} is the primary`);
    });
  }

  /** Two claim it, and the newer one keeps it. */
  dispute(forMs: number): void {
    const others = ROLE_PORTS.filter((port) => !this.#claims.has(port));
    const next = others[this.#tier.random.below(Math.max(1, others.length))];
    if (next === undefined) return;
    this.#claims.add(next);
    this.#tier.tell(`${[...this.#claims].join(' and ')} claim to be the primary`);
    this.#tier.clock.after(forMs, () => {
      this.#claims.clear();
      this.#claims.add(next);
      this.#tier.tell(`${next} alone is the primary`);
    });
  }

  split(members: readonly SimMember[]): void {
    const [port] = this.#claims;
    if (port === undefined) return;
    this.#apart = { members: new Set(members), port };
    this.move();
  }

  joinAgain(): void {
    this.#apart = null;
  }

  heal(): void {
    this.#apart = null;
    const [port = ROLE_PORTS[0]!] = this.#claims;
    this.#claims.clear();
    this.#claims.add(port);
    this.#tier.tell(`${port} is the primary, to all`);
  }

  /** `apart`: they go by what they see themselves, and where the pool has a fence serve nothing. */
  checkAgreement(together: readonly SimMember[], apart: readonly SimMember[]): void {
    const [primary] = this.#claims;
    for (const pool of ROLE_POOLS) {
      for (const member of together) {
        const { serving = null, known = null } = member.roles.get(pool) ?? {};
        if (serving !== addressOf(primary!) || known?.phase !== 'admitted' || member.sendsTo(pool) !== primary) this.#tier.violate(`${member.id} serves ${serving} of ${pool} (${JSON.stringify(known)}), and the primary is ${primary}`);
      }
      for (const member of apart) {
        const expected = pool === 'fenced' ? null : primary;
        if (member.sendsTo(pool) !== expected) this.#tier.violate(`${member.id}, by itself, sends to ${member.sendsTo(pool)} of ${pool}, and not to ${expected}`);
      }
    }
  }

  #claimsTo(member: SimMember, port: number): boolean {
    return this.#apart?.members.has(member) === true ? port === this.#apart.port : this.#claims.has(port);
  }

  #look(pool: RolePoolName): void {
    const senders: { readonly member: SimMember; readonly port: number }[] = [];
    for (const member of this.#tier.members.values()) {
      const port = member.isRunning ? member.sendsTo(pool) : null;
      if (port !== null) senders.push({ member, port });
    }
    const isOverlap = senders.some(({ port }) => port !== senders[0]!.port);
    if (!this.#tier.isFair) this.#unfairMs = this.#tier.clock.monotonicMs();
    // The most of a life.
    if (!isOverlap && this.#stale.size === 0) return;
    if (isOverlap && pool === 'fenced') this.#tell(pool, 0, senders);
    const nowMs = this.#tier.clock.monotonicMs();
    for (const member of this.#tier.members.values()) {
      const sent = senders.find((sender) => sender.member === member);
      const isStale = isOverlap && sent !== undefined && !this.#claimsTo(member, sent.port);
      this.#follow(`${pool} ${member.id}`, isStale ? sent.port : null, isStale ? this.#countsFromMs(member, nowMs) : nowMs, () => this.#tell(pool, this.boundMs, senders));
    }
  }

  /** `port`: where a member still sends, though that claims nothing to it any more and others send elsewhere; null: it does not. */
  #follow(key: string, port: number | null, countsFromMs: number, tell: () => void): void {
    const nowMs = this.#tier.clock.monotonicMs();
    const stale = this.#stale.get(key);
    if (stale !== undefined && stale.port !== port) this.longestMs = Math.max(this.longestMs, nowMs - stale.fromMs);
    if (port === null) this.#stale.delete(key);
    else if (stale?.port !== port) this.#stale.set(key, { port, fromMs: nowMs, sinceMs: nowMs });
    else if (nowMs - Math.max(stale.sinceMs, countsFromMs) <= this.boundMs) this.#stale.set(key, { ...stale, sinceMs: Math.max(stale.sinceMs, countsFromMs) });
    else {
      this.#stale.set(key, { ...stale, sinceMs: Number.POSITIVE_INFINITY });
      tell();
    }
  }

  /**
   * Whom the store answers goes by what it says, and that is no better than what the probers could tell it: while
   * messages are lost, theirs may all be, and nobody can say for how long. Its own time begins with the last good answer,
   * or once the network has been fair for long enough that all are heard.
   */
  #countsFromMs({ link }: SimMember, nowMs: number): number {
    const { heartbeatMs, leaseMs } = this.#tier.pace;
    return link.state.phase === 'connected' ? Math.min(nowMs - leaseMs, this.#unfairMs + leaseMs + 2 * heartbeatMs) : Number.NEGATIVE_INFINITY;
  }

  /** Until it goes by itself, and then sees it: L + i × ⌈N/k⌉ + (fall − 1) f + t, and what a probe may come late. */
  get boundMs(): number {
    const { leaseMs, probers } = this.#tier.pace;
    return leaseMs + 1000 * Math.ceil(this.#tier.members.size / probers) + 2 * 500 + 500 + 100;
  }

  #tell(pool: RolePoolName, forMs: number, senders: readonly { readonly member: SimMember; readonly port: number }[]): void {
    this.#tier.violate(`of ${pool} two are sent to for ${forMs} ms: ${senders.map(({ member, port }) => `${member.id} (${member.link.state.phase}) ${port}`).join(', ')}`);
  }
}
