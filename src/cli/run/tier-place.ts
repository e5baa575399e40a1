/**
 * This proxy's place in its tier: the link to the store, and with a store the
 * tier's config, which then rules instead of the file. Made once the name of
 * the tier and its store are known; with `store: none` it is a tier of one and
 * has no rollout of its own: the file rules.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { systemRandom } from '../../base/random.ts';
import type { Membership, MembershipEvents } from '../../control-plane/membership/membership.ts';
import type { Rollout, RolloutOutcome } from '../../control-plane/rollout/apply.ts';
import type { ApplyOutcome } from '../../control-plane/rollout/config-applier.ts';
import { MemberOrders, type MemberOrder } from '../../control-plane/member-orders.ts';
import { ConfigDesk } from '../../control-plane/rollout/config-desk.ts';
import { FileEdits, type EditOutcome } from '../../control-plane/rollout/file-edits.ts';
import { COMMITTED_FILE, MEMBER_FILE, StateFilesDisk, type DiskState } from '../../control-plane/rollout/last-known-good.ts';
import { RolloutApplier } from '../../control-plane/rollout/rollout-applier.ts';
import { TIER_KEY_BYTES_MIN, TierKey } from '../../control-plane/rollout/tier-key.ts';
import { TierRollout } from '../../control-plane/rollout/tier-rollout.ts';
import { StateFile } from '../../control-plane/state-file.ts';
import { storeDefinition } from '../../control-plane/store/registry.ts';
import type { TicketKeeper } from '../../control-plane/tickets/ticket-keeper.ts';
import { timedStore, type OperationResult } from '../../control-plane/store/timed-store.ts';
import type { Log } from '../../observe/log.ts';
import type { TierFigures } from '../../observe/metrics-source.ts';
import { OperationTimes } from '../../observe/operation-times.ts';
import type { CounterPages } from '../../shared/counter-pages.ts';
import type { TierSpec } from '../../shared/snapshot.ts';
import { version } from '../version.ts';
import { reportRollout } from './report-rollout.ts';
import type { RunOptions } from './run-options.ts';
import { StartError } from './start-error.ts';
import { TierSide } from './tier-side.ts';

export interface TierPlaceOptions {
  readonly run: RunOptions;
  /** As the process starts. */
  readonly tier: TierSpec;
  readonly disk: StateFilesDisk;
  readonly kept: DiskState;
  readonly key: TierKey | null;
  readonly clock: Clock;
  readonly log: Log;
  /** Wall time at which the process started. */
  readonly startedAtMs: number;
  readonly rollout: Rollout;
  readonly counters: readonly CounterPages[];
  readonly tickets: TicketKeeper;
  /** What runs, the link, or whether this member is ready, may have changed. */
  onChange(): void;
  /** An operator drains this member, or no longer, wherever it was said. */
  onOrder(order: MemberOrder): void;
}

/** Every member reads every record: a refusal of a config, or a listener on a thousand addresses, is told in part. */
const REASON_CHARS_MAX = 500;
const ADDRESSES_MAX = 64;

export class TierPlace {
  readonly #options: TierPlaceOptions;
  readonly #times = new OperationTimes<OperationResult>(['ok', 'away']);
  #side: TierSide | null = null;
  #rollout: TierRollout | null = null;
  #edits: FileEdits | null = null;
  #desk: ConfigDesk | null = null;
  #orders: MemberOrders | null = null;
  #told = '';

  constructor(options: TierPlaceOptions) {
    this.#options = options;
  }

  get membership(): TierSide['membership'] | null {
    return this.#side?.membership ?? null;
  }

  /** null: there is no store. */
  get rollout(): TierRollout | null {
    return this.#rollout;
  }

  get desk(): ConfigDesk | null {
    return this.#desk;
  }

  /** What operators said of whole members; null: there is no store. */
  get orders(): MemberOrders | null {
    return this.#orders;
  }

  get hasStore(): boolean {
    return this.#options.tier.store !== 'none';
  }

  /** For the metrics page; null: there is no store. */
  figures(): TierFigures | null {
    const membership = this.membership;
    if (membership === null || !this.hasStore) return null;
    const members = new Map<string, number>();
    for (const { state } of membership.members.values()) members.set(state, (members.get(state) ?? 0) + 1);
    return { members, autonomous: membership.state.phase === 'autonomous', operations: this.#times };
  }

  /** Once; `events` are those of who watches backends. Throws StartError for a store that nobody knows. */
  join(events: MembershipEvents): Membership {
    const { run, tier, clock, log, startedAtMs, disk, kept } = this.#options;
    const definition = storeDefinition(tier.store);
    if (definition === undefined) throw new StartError('tier.store names no store that is known');
    const isSame = kept.identity?.id === run.node;
    const side = new TierSide({
      definition: { ...definition, open: (opening) => timedStore(definition.open(opening), clock, this.#times) },
      tier,
      node: run.node,
      record: { zone: run.zone, addresses: run.advertise, software: version, sinceMs: Math.round(startedAtMs) },
      clock,
      random: systemRandom,
      log,
      pace: () => this.#pace(),
      previousIncarnation: this.hasStore && isSame ? kept.identity.incarnation : null,
      history: () => this.#rollout?.history ?? null,
      onJoined: (incarnation) => void (this.hasStore && disk.writeIdentity({ id: run.node, incarnation })),
    });
    this.#side = side;
    side.subscribe(events);
    if (this.hasStore) this.#follow(side);
    const changed = (): void => this.#options.onChange();
    side.subscribe({ onMembers: changed, onState: changed });
    return side.membership;
  }

  /** With a store: runs the first config. `usable`: the file's bytes, if it can be run at all. */
  async start(written: Uint8Array | null, usable: boolean): Promise<ApplyOutcome> {
    const outcome = await this.#rollout!.start(usable ? written : null);
    if (outcome.kind === 'done') await this.#edits!.began(written);
    return outcome;
  }

  /** With a store: the file may have been edited, or a secret; says in the log what came of it. */
  async reload(): Promise<RolloutOutcome> {
    const { run, log } = this.#options;
    const bytes = await readFile(run.file).catch((error: Error) => error.message);
    const edit: EditOutcome = typeof bytes === 'string' ? { kind: 'refused', text: `cannot read ${run.file}: ${bytes}`, problems: [] } : await this.#edits!.changed(bytes);
    if (edit.kind === 'done' && edit.changed) return { kind: 'done', version: edit.number, changed: true, warnings: [] };
    if (edit.kind === 'refused') {
      const refused: RolloutOutcome = { kind: 'refused', text: edit.text, problems: edit.problems };
      reportRollout(log, refused);
      return refused;
    }
    if (edit.kind === 'differs') log.warn('the file differs from the committed config, and was not edited now', { file: run.file, version: edit.number });
    const again = await this.#rollout!.reapply();
    if (again.kind === 'refused') return again;
    if (edit.kind === 'waits') return { kind: 'refused', text: `the edit waits: ${edit.reason}`, problems: [] };
    return { kind: 'done', version: edit.number, changed: again.changed, warnings: again.warnings };
  }

  /** What the tier is to know of this proxy. */
  tell(state: 'joining' | 'ready' | 'draining', reasons: readonly string[], addresses: readonly string[]): void {
    const membership = this.membership;
    if (membership === null) return;
    membership.setRecord({ reason: reasons.join('; ').slice(0, REASON_CHARS_MAX), addresses: addresses.slice(0, ADDRESSES_MAX) });
    const isOut = state !== 'draining' && this.#rollout?.failure?.out === true;
    const told = isOut ? 'out' : state;
    if (told === this.#told) return;
    this.#told = told;
    // `failed` is the store's to grant, and left by whatever is asked for next.
    if (!isOut) membership.setState(state);
  }

  /** No config is applied from now on. */
  stopRollout(): void {
    this.#rollout?.stop();
  }

  async close(): Promise<void> {
    await this.#side?.close();
  }

  #follow(side: TierSide): void {
    const { run, tier, clock, log, disk, kept, key, rollout, counters, tickets } = this.#options;
    const { membership } = side;
    const tierRollout = new TierRollout({
      membership,
      clock,
      random: systemRandom,
      disk,
      kept,
      applier: new RolloutApplier(rollout, counters),
      key,
      log,
      leaseMs: () => this.#pace().leaseMs,
      onChange: () => {
        this.#edits?.poke();
        this.#options.onChange();
      },
      onApplied: (outcome, number) => reportRollout(log, outcome.kind === 'done' ? { ...outcome, version: number } : outcome),
    });
    this.#rollout = tierRollout;
    this.#desk = new ConfigDesk(tierRollout, membership);
    this.#edits = new FileEdits({
      file: run.file,
      membership,
      disk,
      parent: kept.parent,
      log,
      publish: (request) => tierRollout.publisher.publish(request),
      own: () => tierRollout.own,
      replaceUnconfirmed: (bytes) => tierRollout.replaceUnconfirmed(bytes),
    });
    const orders = new MemberOrders({
      clock,
      node: run.node,
      seal: key,
      log,
      put: (entry) => membership.putOperatorState(entry),
      follow: (order) => this.#options.onOrder(order),
    });
    this.#orders = orders;
    const poke = (): void => tierRollout.poke();
    side.subscribe({ onConfig: poke, onState: poke, onMembers: poke, onOperatorState: (entry, text) => orders.accept(entry, text) });
    tickets.join({ membership, seal: key === null ? null : { seal: (keys) => key.sealTickets(tier.name, keys), open: (text) => key.openTickets(tier.name, text) } });
    side.subscribe({ onTickets: (text) => tickets.accept(text), onState: () => tickets.poke() });
  }

  #pace(): TierSpec {
    return this.#options.rollout.running?.snapshot.tier ?? this.#options.tier;
  }
}

export function openDisk(stateDir: string, log: Log): StateFilesDisk {
  return new StateFilesDisk(new StateFile(join(stateDir, COMMITTED_FILE)), new StateFile(join(stateDir, MEMBER_FILE)), log);
}

/** null: no key was given. Throws StartError for one that cannot be used. */
export async function readTierKey(file: string | null): Promise<TierKey | null> {
  if (file === null) return null;
  const secret = await readFile(file).catch((error: Error) => {
    throw new StartError(`--tier-key: ${error.message}`);
  });
  const key = Buffer.from(secret.toString('latin1').replace(/\r?\n$/, ''), 'latin1');
  if (key.length < TIER_KEY_BYTES_MIN) throw new StartError(`--tier-key ${file}: at least ${TIER_KEY_BYTES_MIN} bytes are needed (head -c 32 /dev/urandom | base64 makes some)`);
  return new TierKey(key);
}
