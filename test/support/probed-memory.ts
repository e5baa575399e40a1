/** What a proxy holds in memory, told by the probe it was started with (memory-probe.ts). */
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WeirProcess } from './weir-process.ts';

export interface ThreadMemory {
  /** `main` or `worker N`. */
  readonly thread: string;
  /** The heap and what hangs on it (buffers). */
  readonly heldBytes: number;
}

export interface HeldMemory {
  readonly rssBytes: number;
  readonly threads: readonly ThreadMemory[];
}

export interface ProbedProxy {
  readonly weir: WeirProcess;
  /** After a full collection in each thread, unless it is only to `look`. */
  memory(ask?: 'look' | 'collect'): Promise<HeldMemory>;
}

const probe = new URL('./memory-probe.ts', import.meta.url).href;

export async function startProbed(yaml: string, workers: number, env: Readonly<Record<string, string>> = {}): Promise<ProbedProxy> {
  const folder = await mkdtemp(join(tmpdir(), 'weir-memory-'));
  const socket = join(folder, 'probe');
  const weir = await WeirProcess.start(yaml, { folder, args: ['--workers', String(workers)], env: { ...env, MEMORY_PROBE: socket, MEMORY_PROBE_WORKERS: String(workers), NODE_OPTIONS: `--import=${probe}` } });
  return {
    weir,
    async memory(ask = 'collect') {
      const connection = connect(socket);
      connection.write(ask);
      let text = '';
      connection.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      await once(connection, 'end');
      return JSON.parse(text) as HeldMemory;
    },
  };
}

export function heldByWorkers({ threads }: HeldMemory): number {
  return threads.filter(({ thread }) => thread !== 'main').reduce((sum, { heldBytes }) => sum + heldBytes, 0);
}
