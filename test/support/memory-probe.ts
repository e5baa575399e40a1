/**
 * Preloaded into a proxy (`--import`), where it runs in the main thread and in
 * each it starts; the product knows nothing of it. Whoever connects to the
 * socket MEMORY_PROBE names and says `look` is told, as JSON, what main and the
 * workers hold; on `collect`, what they hold after a full collection. RSS alone
 * could not tell held bytes from free ones.
 */
import { createServer } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BroadcastChannel, isMainThread, workerData } from 'node:worker_threads';
import type { ThreadMemory } from './probed-memory.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const channel = new BroadcastChannel('memory-probe') as BroadcastChannel & { unref(): void };
channel.unref();

type Ask = 'look' | 'collect';

function ownMemory(thread: string, ask: Ask): ThreadMemory {
  // Buffers may be freed only by the second collection, when what held them is gone.
  if (ask === 'collect') for (let i = 0; i < 2; i++) collect();
  const { heapUsed, external } = process.memoryUsage();
  return { thread, heldBytes: heapUsed + external };
}

const workerIndex = (workerData as { index?: unknown } | null)?.index;
if (!isMainThread && typeof workerIndex === 'number') {
  channel.onmessage = ({ data }) => {
    if (data === 'look' || data === 'collect') channel.postMessage(ownMemory(`worker ${workerIndex}`, data));
  };
}

const path = process.env['MEMORY_PROBE'];
if (isMainThread && path !== undefined) {
  const workers = Number(process.env['MEMORY_PROBE_WORKERS']);
  const asking = createServer((connection) => {
    connection.once('data', (bytes) => {
      const ask = bytes.toString() as Ask;
      const threads: ThreadMemory[] = [ownMemory('main', ask)];
      channel.onmessage = ({ data }) => {
        threads.push(data as ThreadMemory);
        if (threads.length === workers + 1) connection.end(JSON.stringify({ rssBytes: process.memoryUsage.rss(), threads }));
      };
      channel.postMessage(ask);
    });
  });
  asking.listen(path).unref();
}
