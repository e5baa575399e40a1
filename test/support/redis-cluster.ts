/** A Redis Cluster of three masters and one replica, that of the slot under test; all of a test's own. */
import { freePort } from './free-port.ts';
import { RedisServer } from './redis-server.ts';
import { until } from './weir-process.ts';

const SLOTS = 16_384;
/** Silence after which a node is taken for dead; a real one waits 15 s. */
const NODE_TIMEOUT_MS = 500;

export class ClusterRig {
  /** Has the slot of `key` until it fails over. */
  readonly owner: RedisServer;
  readonly others: readonly RedisServer[];
  readonly replica: RedisServer;

  private constructor(owner: RedisServer, others: readonly RedisServer[], replica: RedisServer) {
    this.owner = owner;
    this.others = others;
    this.replica = replica;
  }

  static async start(key: string): Promise<ClusterRig> {
    const nodes = await Promise.all([1, 2, 3, 4].map(startNode));
    const [first] = nodes;
    for (const { port, busPort } of nodes.slice(1)) await first!.server.client().call('CLUSTER', 'MEET', '127.0.0.1', port, busPort);
    const masters = nodes.slice(0, 3).map(({ server }) => server);
    for (const [i, master] of masters.entries()) {
      await master.client().call('CLUSTER', 'ADDSLOTSRANGE', Math.floor((i * SLOTS) / 3), Math.floor(((i + 1) * SLOTS) / 3) - 1);
    }
    const all = nodes.map(({ server }) => server);
    for (const server of all) await until(async () => isWhole((await server.client().call('CLUSTER', 'INFO')) as string));
    const slot = (await masters[0]!.client().call('CLUSTER', 'KEYSLOT', key)) as number;
    const owner = masters[Math.floor((slot * 3) / SLOTS)]!;
    const replica = all[3]!;
    await replica.client().call('CLUSTER', 'REPLICATE', (await owner.client().call('CLUSTER', 'MYID')) as string);
    await until(async () => (await replica.client().info('replication')).includes('master_link_status:up'));
    const rig = new ClusterRig(owner, masters.filter((server) => server !== owner), replica);
    // Every node must know of the replica, or it is not voted for.
    for (const server of all) await until(async () => /slave \w{40}/.test((await server.client().call('CLUSTER', 'NODES')) as string));
    return rig;
  }

  /** The replica among them, so that the cluster is found without its owner. */
  get url(): string {
    return `cluster://${[...this.others, this.replica].map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
  }

  /** The owner dies; resolves when the replica has its slots and the cluster says it is well. */
  async failOver(): Promise<void> {
    await this.owner.stop();
    for (const server of [this.replica, ...this.others]) {
      await until(async () => {
        const nodes = (await server.client().call('CLUSTER', 'NODES')) as string;
        return new RegExp(`:${this.replica.port}@\\S* (?:myself,)?master`).test(nodes) && isWhole((await server.client().call('CLUSTER', 'INFO')) as string);
      });
    }
  }

  async stop(): Promise<void> {
    await Promise.all([this.owner, this.replica, ...this.others].map((server) => server.stop()));
  }
}

function isWhole(info: string): boolean {
  return info.includes('cluster_state:ok') && info.includes(`cluster_slots_assigned:${SLOTS}`) && info.includes('cluster_known_nodes:4');
}

async function startNode(): Promise<{ readonly server: RedisServer; readonly port: number; readonly busPort: number }> {
  const busPort = await freePort();
  const server = await RedisServer.start({ config: ['cluster-enabled yes', `cluster-port ${busPort}`, `cluster-node-timeout ${NODE_TIMEOUT_MS}`, 'cluster-require-full-coverage no', 'repl-diskless-sync-delay 0'] });
  return { server, port: server.port, busPort };
}
