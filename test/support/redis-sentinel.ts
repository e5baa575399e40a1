/** A master, its replica, and three Sentinels that put the replica in its place when it is gone; all of a test's own. */
import { freePort } from './free-port.ts';
import { RedisServer } from './redis-server.ts';
import { until } from './weir-process.ts';

export const MASTER_NAME = 'tier';
/** Silence after which a Sentinel takes the master for dead; a real one waits half a minute. */
const DOWN_AFTER_MS = 500;

export class SentinelRig {
  master: RedisServer;
  readonly replica: RedisServer;
  readonly sentinels: readonly RedisServer[];

  private constructor(master: RedisServer, replica: RedisServer, sentinels: readonly RedisServer[]) {
    this.master = master;
    this.replica = replica;
    this.sentinels = sentinels;
  }

  static async start(): Promise<SentinelRig> {
    const master = await RedisServer.start();
    const replica = await RedisServer.start({ config: [`replicaof 127.0.0.1 ${master.port}`] });
    await until(async () => (await replica.client().info('replication')).includes('master_link_status:up'));
    const config = [`sentinel monitor ${MASTER_NAME} 127.0.0.1 ${master.port} 2`, `sentinel down-after-milliseconds ${MASTER_NAME} ${DOWN_AFTER_MS}`, `sentinel failover-timeout ${MASTER_NAME} 3000`];
    const sentinels = await Promise.all([1, 2, 3].map(() => RedisServer.start({ config, sentinel: true })));
    const rig = new SentinelRig(master, replica, sentinels);
    for (const sentinel of sentinels) await until(async () => await rig.#isKnown(sentinel));
    return rig;
  }

  get url(): string {
    return `sentinel://${this.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${MASTER_NAME}`;
  }

  /** What is written from now on is lost in the next failover. */
  async cutReplication(): Promise<void> {
    await this.replica.client().call('REPLICAOF', '127.0.0.1', String(await freePort()));
  }

  /** The master dies; resolves when all Sentinels name the replica. */
  async failOver(): Promise<void> {
    await this.master.stop();
    await this.promoted();
  }

  async promoted(): Promise<void> {
    for (const sentinel of this.sentinels) {
      await until(async () => ((await sentinel.client().call('SENTINEL', 'get-master-addr-by-name', MASTER_NAME)) as string[])[1] === String(this.replica.port));
    }
    await until(async () => (await this.replica.client().info('replication')).includes('role:master'));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.sentinels, this.replica, this.master].map((server) => server.stop()));
  }

  /** The replica and the other two. */
  async #isKnown(sentinel: RedisServer): Promise<boolean> {
    const info = await sentinel.client().info('sentinel');
    return info.includes('slaves=1,sentinels=3');
  }
}
