/**
 * `redis`: the tier's store in Redis 6.2 or later, or Valkey; one server, behind
 * Sentinel, or a Cluster. Every operation is one Lua script (redis/*.lua) over
 * the keys `weir:{TIER}:…`, which all lie in one slot; their number does not
 * grow with members or backends. Owned by the main thread.
 *
 * Over one connection go all calls, over a second one comes what is published
 * (plain PUBLISH); to lose that one only makes a member slower to learn. There
 * is no KEYS, no blocking call, no read of a replica, and no SELECT unless the
 * URL names a database.
 *
 * What a Redis user of the tier needs, and no more (TIER: its name; in a
 * cluster add `+cluster|slots`):
 *
 *   ACL SETUSER weir on >PASSWORD resetkeys ~weir:{TIER}:* resetchannels
 *     &weir:{TIER}:hints -@all +eval +evalsha +subscribe +publish
 *     +time +type +exists +unlink +hget +hset +hdel +hmget +hgetall +hlen +zadd
 *     +zrem +zscore +zcard +zcount +zrangebyscore +zremrangebyscore +rpush
 *     +ltrim +lrange +llen
 *
 * Where Sentinels ask for a login: `+sentinel|get-master-addr-by-name
 * +sentinel|sentinels +subscribe` and the channel `+switch-master`.
 */
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { Log } from '../../observe/log.ts';
import { RedisConnection } from './redis/redis-connection.ts';
import type { RedisClient } from './redis/redis-client.ts';
import { isRedisUrl, parseRedisUrl } from './redis/redis-target.ts';
import { haveText, listOf, numberOf, readAdmission, readAnswer, readHint, readJoin, readPairs, readPublish, readVersion, textOf } from './redis/replies.ts';
import { hintsChannel, scripts, tierKeys, type Script } from './redis/scripts.ts';
import type { RoleAck, RoleAdmission, RoleAdmissionAnswer, RoleMove, RoleMoveAnswer } from './role-records.ts';
import { assertAsks, assertCall, assertCaller, assertJoin, assertKeys, assertLogPage, assertPublish, assertRestore, assertRoleAcks, assertRoleAdmission, assertRoleMove, assertStep, assertTicketPut, assertVote, assertWatch } from './step-limits.ts';
import type { TicketPut, TicketPutAnswer } from './ticket-records.ts';
import {
  StoreAway,
  RETURNED_LEASES,
  VERSION_BYTES_MAX,
  VERSIONS_MAX,
  type Caller,
  type JoinAnswer,
  type JoinCall,
  type LimitAsk,
  type LogEntry,
  type PublishAnswer,
  type PublishCall,
  type RestoreAnswer,
  type RestoreCall,
  type RolloutStep,
  type StepAnswer,
  type StoreAnswer,
  type StoreCall,
  type StoredVersion,
  type StoreHint,
  type TierStore,
  type Vote,
} from './tier-store.ts';

export interface RedisStoreOptions {
  /** `tier.store`. */
  readonly url: string;
  /** `tier.name`. */
  readonly tier: string;
  /** No answer for so long: the store is away. A third of the lease. */
  readonly callTimeoutMs: number;
  /** A lost connection is made anew after a random part of this: the heartbeat. */
  readonly reconnectWithinMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Pick<Log, 'warn'>;
}

type Argument = string | number | Buffer;

export class RedisStore implements TierStore {
  readonly #options: RedisStoreOptions;
  readonly #keys: readonly string[];
  readonly #calls: RedisConnection;
  readonly #hints: RedisConnection;
  readonly #listeners = new Set<(hint: StoreHint) => void>();
  /** The last subscription failed, and that has been said: the next one fails within a heartbeat. */
  #isDeaf = false;

  /** Throws for a URL that is none. Connects at the first use. */
  constructor(options: RedisStoreOptions) {
    this.#options = options;
    this.#keys = tierKeys(options.tier);
    const { callTimeoutMs: timeoutMs, reconnectWithinMs, clock, random } = options;
    const shared = { target: parseRedisUrl(options.url), timeoutMs, reconnectWithinMs, clock, random };
    // What made a call fail has most likely befallen the other connection too, which nobody would notice.
    this.#calls = new RedisConnection({ ...shared, onLost: () => this.#hints.drop('the other connection was lost') });
    this.#hints = new RedisConnection({ ...shared, onReady: (client) => this.#listen(client) });
  }

  async call(call: StoreCall): Promise<StoreAnswer> {
    assertCall(call);
    const { member, incarnation, number, leaseMs, probers, reportsDigest, beside } = call;
    return readAnswer(await this.#run(scripts.call, [member, incarnation, number, leaseMs, probers, haveText(call.have), reportsDigest ?? '', saidText(call), orNone(beside)]));
  }

  async join(call: JoinCall): Promise<JoinAnswer> {
    assertJoin(call);
    const { member, incarnation, previous, leaseMs, record, protocol, protocolMin, history } = call;
    return readJoin(await this.#run(scripts.join, [member, incarnation, previous ?? '', leaseMs, record, protocol, protocolMin, history ?? '']));
  }

  async leave(caller: Caller): Promise<void> {
    assertCaller(caller);
    await this.#run(scripts.leave, callerArguments(caller));
  }

  async stepOut(caller: Caller): Promise<boolean> {
    assertCaller(caller);
    return (await this.#run(scripts.stepOut, callerArguments(caller))) === 1;
  }

  async publish(call: PublishCall): Promise<PublishAnswer> {
    assertPublish(call);
    const { history, parentSha, number, sha, version, rollout, bytes } = call;
    return readPublish(await this.#run(scripts.publish, [...callerArguments(call), history, parentSha ?? '', number, sha, version, rollout, Buffer.from(bytes), VERSIONS_MAX, VERSION_BYTES_MAX]));
  }

  async step(step: RolloutStep): Promise<StepAnswer> {
    assertStep(step);
    const { number, expectedStep, rollout, headText } = step;
    return (await this.#run(scripts.step, [...callerArguments(step), number, expectedStep, orNone(rollout), orNone(headText)])) as StepAnswer;
  }

  async vote(vote: Vote): Promise<void> {
    assertVote(vote);
    await this.#run(scripts.vote, [...callerArguments(vote), vote.number, vote.text]);
  }

  async votes(number: number): Promise<ReadonlyMap<string, string>> {
    return new Map(readPairs(await this.#run(scripts.votes, [number])).sort(byFirst));
  }

  async restore(call: RestoreCall): Promise<RestoreAnswer> {
    assertRestore(call);
    const { history, number, sha, headText, version, bytes, isFirst } = call;
    return (await this.#run(scripts.restore, [...callerArguments(call), history, number, sha, headText, version, Buffer.from(bytes), VERSIONS_MAX, VERSION_BYTES_MAX, isFirst ? RETURNED_LEASES : 0])) as RestoreAnswer;
  }

  async versions(): Promise<readonly StoredVersion[]> {
    const found = readPairs(await this.#run(scripts.versions, [])).map(([number, text]) => readVersion(Number(number), text));
    return found.filter((version) => version !== null).sort((a, b) => b.number - a.number);
  }

  async version(number: number): Promise<(StoredVersion & { readonly bytes: Uint8Array }) | null> {
    const [text, bytes] = listOf(await this.#run(scripts.version, [number], true));
    if (!(text instanceof Buffer) || !(bytes instanceof Buffer)) return null;
    const version = readVersion(number, text.toString());
    // A copy: the buffer is a part of what was read from the socket, which it would hold on to.
    return version === null ? null : { ...version, bytes: Uint8Array.from(bytes) };
  }

  async raiseProtocol(caller: Caller, protocol: number, membersEpoch: number): Promise<boolean> {
    assertCaller(caller);
    return (await this.#run(scripts.raiseProtocol, [...callerArguments(caller), protocol, membersEpoch])) === 1;
  }

  async forget(caller: Caller, checks: readonly string[]): Promise<boolean> {
    assertCaller(caller);
    assertKeys(checks);
    return (await this.#run(scripts.forget, [...callerArguments(caller), ...checks])) === 1;
  }

  async moveRole(move: RoleMove): Promise<RoleMoveAnswer> {
    assertRoleMove(move);
    return (await this.#run(scripts.moveRole, [...callerArguments(move), move.pool, move.expectedEpoch, move.address ?? ''])) as RoleMoveAnswer;
  }

  async admitRole(admission: RoleAdmission): Promise<RoleAdmissionAnswer> {
    assertRoleAdmission(admission);
    return readAdmission(await this.#run(scripts.admitRole, [...callerArguments(admission), admission.pool, admission.expectedEpoch]));
  }

  async acknowledgeRoles(caller: Caller, acks: readonly RoleAck[]): Promise<void> {
    assertRoleAcks(caller, acks);
    await this.#run(scripts.acknowledgeRoles, [...callerArguments(caller), ...acks.flatMap(({ pool, epoch, address }) => [pool, epoch, address])]);
  }

  async putTickets(put: TicketPut): Promise<TicketPutAnswer> {
    assertTicketPut(put);
    return (await this.#run(scripts.putTickets, [...callerArguments(put), put.expectedSha, orNone(put.text)])) as TicketPutAnswer;
  }

  async beside(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    assertKeys(ids);
    if (ids.length === 0) return new Map();
    const texts = listOf(await this.#run(scripts.beside, ids));
    return new Map(ids.map((id, i) => [id, texts[i]] as const).filter((pair): pair is readonly [string, string] => typeof pair[1] === 'string'));
  }

  async reports(checks: readonly string[]): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
    assertKeys(checks);
    const found = listOf(await this.#run(scripts.reports, checks));
    return new Map(checks.map((check, i) => [check, new Map(readPairs(found[i]).sort(byFirst))] as const).filter(([, reports]) => reports.size > 0));
  }

  async log(after: number, limit: number): Promise<readonly LogEntry[]> {
    assertLogPage(after, limit);
    const [first, ...texts] = listOf(await this.#run(scripts.log, [after, limit]));
    return texts.map((text, i) => ({ id: numberOf(first) + i, text: textOf(text) }));
  }

  async watch(pool: string, forMs: number): Promise<void> {
    assertWatch(pool, forMs);
    await this.#run(scripts.watch, [pool, forMs]);
  }

  async takeTokens(caller: Caller, asks: readonly LimitAsk[]): Promise<readonly number[]> {
    assertAsks(caller, asks);
    return listOf(await this.#run(scripts.takeTokens, [...callerArguments(caller), ...asks.flatMap(({ key, tokens, perSecond, burst }) => [key, tokens, perSecond, burst])])).map(numberOf);
  }

  subscribe(onHint: (hint: StoreHint) => void): () => void {
    // A function of its own for each, so that the same one may subscribe twice.
    const listener = (hint: StoreHint): void => onHint(hint);
    this.#listeners.add(listener);
    this.#hints.open();
    return () => void this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    this.#listeners.clear();
    this.#hints.close();
    this.#calls.close();
    return Promise.resolve();
  }

  #listen(client: RedisClient): void {
    client.on('message', (_channel: string, message: string) => {
      const hint = readHint(message);
      if (hint !== null) for (const listener of [...this.#listeners]) listener(hint);
    });
    this.#hints.send((subscriber) => subscriber.subscribe(hintsChannel(this.#options.tier))).then(
      () => (this.#isDeaf = false),
      (error: unknown) => {
        // Without the right to subscribe nothing else will change: the tier works, at the pace of its heartbeats.
        if (!this.#isDeaf) this.#options.log.warn('the store publishes nothing to this proxy', { reason: error instanceof Error ? error.message : String(error) });
        this.#isDeaf = true;
      },
    );
  }

  async #run(script: Script, args: readonly Argument[], binary = false): Promise<unknown> {
    try {
      return await this.#send(script, args, binary);
    } catch (error) {
      if (!(error instanceof StoreAway) || !/\b(?:WRONGTYPE|GARBAGE)\b/.test(error.message)) throw error;
      const wrong = listOf(await this.#send(scripts.mend, [], false));
      this.#options.log.warn('the store held what this program does not write there; the tier is set up anew', { reason: error.message, droppedKeys: wrong });
      return await this.#send(script, args, binary);
    }
  }

  #send(script: Script, args: readonly Argument[], binary: boolean): Promise<unknown> {
    const keys = this.#keys.slice(0, script.keyCount);
    const evaluate = (client: RedisClient, command: 'evalsha' | 'eval', what: string): Promise<unknown> =>
      binary ? client.callBuffer(command, what, keys.length, ...keys, ...args) : client.call(command, what, keys.length, ...keys, ...args);
    return this.#calls.send(async (client) => {
      try {
        return await evaluate(client, 'evalsha', script.sha);
      } catch (error) {
        // Redis forgets scripts when it starts, and a replica that takes over may never have had them.
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
        return await evaluate(client, 'eval', script.text);
      }
    });
  }
}

export const redisStore = {
  name: 'redis',
  summary: 'Keeps what a tier agrees on in Redis or Valkey: one server, behind Sentinel, or a Cluster.',
  accepts: isRedisUrl,
  open: (options: RedisStoreOptions): TierStore => new RedisStore(options),
};

function callerArguments({ member, incarnation }: Caller): string[] {
  return [member, incarnation];
}

/** '': nothing; else the text behind a sign, since it may be empty itself. */
function orNone(text: string | null): string {
  return text === null ? '' : `+${text}`;
}

/** ARGV 8 of call.lua. Numbers as strings: what is hashed must come back as it was. */
function saidText({ state, record, reports, suspicions, suspicionEveryMs, operatorStates }: StoreCall): string {
  const isQuiet = state === null && record === null && reports.length + suspicions.length + operatorStates.length === 0;
  if (isQuiet) return '';
  return JSON.stringify({
    ...(state === null ? {} : { state }),
    ...(record === null ? {} : { record }),
    ...(reports.length === 0 ? {} : { reports: reports.map(({ check, verdict, atMs, reason }) => [check, verdict ?? '', String(atMs), reason]) }),
    ...(suspicions.length === 0 ? {} : { suspicions, suspicionEveryMs: String(suspicionEveryMs) }),
    ...(operatorStates.length === 0 ? {} : { operatorStates: operatorStates.map(({ key, stampMs, by, text }) => [key, String(stampMs), by, text]) }),
  });
}

function byFirst([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : Number(a > b);
}
