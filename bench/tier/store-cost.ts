/** What a quiet tier of 5 proxies and 1,000 backends asks of Redis. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { isConnected, untilTier } from '../../test/support/loaded-tier.ts';
import { TierProcesses } from '../../test/support/tier-processes.ts';
import { HEARTBEAT_MS, LEASE_MS, NODES, waitMs } from './bench-tier.ts';
import type { Figure } from './figure.ts';

const BACKENDS = 1000;
const PER_HOST_NUMBER = 250;
/** Of five proxies 150 calls each: one more or less is less than a hundredth. */
const WINDOWS = 2;
const WINDOW_MS = 30_000;

/** One listener under a thousand addresses of the loopback. Probed seldom: the store knows nothing of probes that change nothing. */
function config(store: string, port: number): string {
  const addresses = Array.from({ length: BACKENDS }, (_, at) => `"127.1.${Math.floor(at / PER_HOST_NUMBER)}.${(at % PER_HOST_NUMBER) + 1}:${port}"`);
  return `
listeners: { web: { bind: "127.0.0.1:0", pool: many } }
pools: { many: { health: { type: tcp, interval: 10s, timeout: 5s }, backends: [${addresses.join(', ')}] } }
tier: { name: quiet, store: "${store}" }
admin: { bind: "127.0.0.1:0" }
drain: { delay: 0 }
`;
}

interface Used {
  readonly calls: number;
  readonly us: number;
  readonly bytes: number;
}

async function usedBy(tier: TierProcesses): Promise<Used> {
  const client = tier.redis.client();
  const stats = /^cmdstat_evalsha:calls=(\d+),usec=(\d+)/m.exec(await client.info('commandstats'));
  const [, input, output] = /total_net_input_bytes:(\d+)[^]*total_net_output_bytes:(\d+)/.exec(await client.info('stats'))!;
  return { calls: Number(stats?.[1] ?? 0), us: Number(stats?.[2] ?? 0), bytes: Number(input) + Number(output) };
}

export async function storeCostRows(): Promise<Figure[]> {
  const acceptor = createServer((socket) => socket.on('error', () => undefined).resume()).listen(0, '0.0.0.0');
  await once(acceptor, 'listening');
  try {
    await using tier = await TierProcesses.start();
    const proxies = await tier.up(NODES, config(tier.redis.url, (acceptor.address() as AddressInfo).port));
    await untilTier(proxies, (view) => isConnected(view) && view.verdicts.length === 0 && view.members.length === NODES.length && view.members.every(({ state }) => state === 'ready'));
    // Until the last of them is on duty, and has said so.
    await waitMs(2 * LEASE_MS + 10_000);
    const windows: { perHeartbeat: number; us: number; bytes: number }[] = [];
    for (let round = 0; round < WINDOWS; round++) {
      const [before, fromMs] = [await usedBy(tier), performance.now()];
      await waitMs(WINDOW_MS);
      const [after, heartbeats] = [await usedBy(tier), ((performance.now() - fromMs) / HEARTBEAT_MS) * NODES.length];
      const calls = after.calls - before.calls;
      windows.push({ perHeartbeat: calls / heartbeats, us: (after.us - before.us) / calls, bytes: (after.bytes - before.bytes) / calls });
    }
    // Heartbeats are up to 10 % early or late at random: in so many of them that is a hundredth.
    return [
      { what: `script calls of a quiet tier, ${NODES.length} proxies, ${BACKENDS} backends`, unit: 'per proxy and heartbeat', values: windows.map(({ perHeartbeat }) => perHeartbeat), atMost: 1.02 },
      { what: '… time of Redis in each', unit: 'µs', values: windows.map(({ us }) => us), atMost: null },
      { what: '… bytes in and out', unit: 'bytes', values: windows.map(({ bytes }) => bytes), atMost: null },
    ];
  } finally {
    acceptor.close();
  }
}
