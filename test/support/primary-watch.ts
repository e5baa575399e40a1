/**
 * Which of several Redis servers answers through each of several ports, asked
 * all the time over connections of their own: what was answered by whom, when.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Sighting {
  readonly through: string;
  /** Port of the server that answered. */
  readonly server: number;
  readonly sentMs: number;
  readonly answeredMs: number;
}

/** Between two questions through one port. */
const PAUSE_MS = 10;
/** A question that is not answered in this is given up: the connection may have gone to a server that stands still. */
const PATIENCE_MS = 1000;

export class PrimaryWatch implements AsyncDisposable {
  readonly sightings: Sighting[] = [];
  readonly #ports: Readonly<Record<string, number>>;
  readonly #loops: Promise<void>[];
  #ended = false;

  /** `ports`: those to ask through, by name. */
  constructor(ports: Readonly<Record<string, number>>) {
    this.#ports = ports;
    this.#loops = Object.keys(ports).map((through) => this.#ask(through));
  }

  /** What answered last through each; what has not answered after `sinceMs` is missing. */
  since(sinceMs: number): ReadonlyMap<string, number> {
    return new Map(this.sightings.filter(({ sentMs }) => sentMs >= sinceMs).map(({ through, server }) => [through, server]));
  }

  /** How long `former` still answered through one of these while `next` already answered through another; 0: not at all. */
  overlapMs(through: readonly string[], former: number, next: number, sinceMs: number): number {
    const seen = this.sightings.filter((one) => through.includes(one.through) && one.sentMs >= sinceMs);
    const first = Math.min(...seen.filter(({ server }) => server === next).map(({ answeredMs }) => answeredMs));
    const last = Math.max(...seen.filter(({ server }) => server === former).map(({ sentMs }) => sentMs));
    return Math.max(0, last - first);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#loops);
  }

  async #ask(through: string): Promise<void> {
    while (!this.#ended) {
      const sentMs = performance.now();
      const server = await serverThrough(this.#ports[through]!);
      if (server !== null) this.sightings.push({ through, server, sentMs, answeredMs: performance.now() });
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

/** null: nobody answers. */
async function serverThrough(port: number): Promise<number | null> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true).setTimeout(PATIENCE_MS);
  try {
    await once(socket, 'connect');
    return await askPort(socket);
  } catch {
    return null;
  } finally {
    socket.destroy();
  }
}

/** The port that the server itself listens on. */
export async function askPort(socket: Socket): Promise<number | null> {
  socket.write('CONFIG GET port\r\n');
  let text = '';
  return new Promise((resolve) => {
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      const found = /^\*2\r\n\$4\r\nport\r\n\$\d+\r\n(\d+)\r\n/.exec(text)?.[1];
      if (found !== undefined) resolve(Number(found));
    });
    for (const end of ['close', 'error', 'timeout'] as const) socket.once(end, () => resolve(null));
  });
}
