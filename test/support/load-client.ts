/** The test's end of a load generator (load-generator.ts). `await using` ends it. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { FromLoad, LoadGroup, LoadReport, ToLoad } from './load-messages.ts';

const generator = fileURLToPath(new URL('./load-generator.ts', import.meta.url));

export class LoadClient implements AsyncDisposable {
  readonly #child: ChildProcess = fork(generator, { execArgv: [] });
  readonly #exited = once(this.#child, 'exit');
  #isEnded = false;

  start(group: LoadGroup): void {
    this.#send({ kind: 'start', group });
  }

  /** Requests that begin from now on belong to phase `name`; resolves when all that began before have ended. */
  async phase(name: string): Promise<void> {
    const begun = this.#told('phase', (message) => message.name === name);
    this.#send({ kind: 'phase', name });
    await begun;
  }

  /** Resolves once `count` requests of the present phase have been answered, or failed. */
  async requests(count: number): Promise<void> {
    const told = this.#told('requests', () => true);
    this.#send({ kind: 'requests', count });
    await told;
  }

  /** The group opens no connection from now on. `left` resolves when its last one is closed. */
  leave(group: string): { readonly left: Promise<void> } {
    const left = this.#told('left', (message) => message.group === group).then(() => {});
    this.#send({ kind: 'leave', group });
    return { left };
  }

  async report(): Promise<LoadReport> {
    const told = this.#told('report', () => true);
    this.#send({ kind: 'report' });
    return (await told).report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnded = true;
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  #send(message: ToLoad): void {
    this.#child.send(message);
  }

  #told<K extends FromLoad['kind']>(kind: K, isIt: (message: Extract<FromLoad, { kind: K }>) => boolean): Promise<Extract<FromLoad, { kind: K }>> {
    return new Promise((resolve, reject) => {
      const take = (message: FromLoad): void => {
        if (message.kind !== kind || !isIt(message as Extract<FromLoad, { kind: K }>)) return;
        this.#child.off('message', take);
        resolve(message as Extract<FromLoad, { kind: K }>);
      };
      this.#child.on('message', take);
      void this.#exited.then(() => {
        if (!this.#isEnded) reject(new Error('the load generator ended'));
      });
    });
  }
}
