/** An origin that can be killed and started again on its port. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const entry = fileURLToPath(new URL('./origin.ts', import.meta.url));
const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

export class OriginProcess {
  port = 0;
  #child: ChildProcess | null = null;

  static async start(): Promise<OriginProcess> {
    const origin = new OriginProcess();
    await origin.start();
    return origin;
  }

  async start(): Promise<void> {
    const child = fork(entry, [String(this.port)]);
    this.#child = child;
    alive.add(child);
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    this.port = port;
  }

  /** Its connections end in mid answer. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    alive.delete(child);
  }
}
