/**
 * One client of ioredis for one connection: opened for a target, used until it
 * ends, never opened again. All that the library would do on its own is off:
 * queueing while it is not connected, sending again, connecting again, reading
 * from replicas. redis-connection.ts decides about those.
 */
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { RedisTarget } from './redis-target.ts';

export type RedisClient = Redis | Cluster;

/** Replies are mapped as ever; the library's types have a say in that of their own. */
type Options = Omit<RedisOptions, 'replyMapping'>;

/** Kept alive below the ten minutes after which many a firewall forgets a connection. */
const KEEP_ALIVE_MS = 30_000;

export function openRedisClient(target: RedisTarget, connectTimeoutMs: number): RedisClient {
  const options: Options = {
    // HELLO would need another right, and some proxies in front of Redis do not know it.
    protocol: 2,
    connectTimeout: connectTimeoutMs,
    keepAlive: KEEP_ALIVE_MS,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    // It would ask INFO, which is another right; a server that is still loading says so to every command.
    enableReadyCheck: false,
    disableClientInfo: true,
    lazyConnect: true,
    ...(target.username === null ? {} : { username: target.username }),
    ...(target.password === null ? {} : { password: target.password }),
    ...(target.tls === null ? {} : { tls: target.tls }),
  };
  if (target.kind === 'cluster') return openCluster(target, options, connectTimeoutMs);
  if (target.kind === 'sentinel') return openSentinel(target, options, connectTimeoutMs);
  const { host, port } = target.endpoints[0]!;
  return new Redis({ ...options, host, port, db: target.database, enableOfflineQueue: false });
}

function openSentinel(target: RedisTarget, options: Options, timeoutMs: number): Redis {
  return new Redis({
    ...options,
    enableOfflineQueue: false,
    sentinels: target.endpoints.map(({ host, port }) => ({ host, port })),
    name: target.master,
    role: 'master',
    // Once round them all; then the connection has failed, and is made anew in its time.
    sentinelRetryStrategy: () => null,
    sentinelCommandTimeout: timeoutMs,
    // Told of a new master at once; the old one may still answer.
    failoverDetector: true,
    sentinelReconnectStrategy: () => null,
    ...(target.sentinelUsername === null ? {} : { sentinelUsername: target.sentinelUsername }),
    ...(target.sentinelPassword === null ? {} : { sentinelPassword: target.sentinelPassword }),
    ...(target.tls === null ? {} : { sentinelTLS: target.tls, enableTLSForSentinelMode: true }),
  });
}

function openCluster(target: RedisTarget, options: Options, timeoutMs: number): Cluster {
  return new Cluster(target.endpoints.map(({ host, port }) => ({ host, port })), {
    redisOptions: options,
    lazyConnect: true,
    // Of what is sent while the connection to a node is being made; the client ends with its first failure, and the queue with it.
    enableOfflineQueue: true,
    enableReadyCheck: false,
    scaleReads: 'master',
    clusterRetryStrategy: () => null,
    slotsRefreshTimeout: timeoutMs,
    // One redirection is followed: the node that gave it has done nothing. Whatever else fails is not sent again.
    maxRedirections: 2,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    // Names are resolved by each connection, so that certificates are checked against them.
    dnsLookup: (address, callback) => callback(null, address),
  });
}
