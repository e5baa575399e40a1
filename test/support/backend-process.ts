/** The test's end of a backend in a process of its own (echo-backend.ts). `await using` ends it. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('./echo-backend.ts', import.meta.url));

export class BackendProcess implements AsyncDisposable {
  readonly name: string;
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  private constructor(name: string, port: number, child: ChildProcess, exited: Promise<unknown>) {
    this.name = name;
    this.port = port;
    this.#child = child;
    this.#exited = exited;
  }

  /** Resolves once it accepts connections. */
  static async start(name: string, port = 0): Promise<BackendProcess> {
    const child = fork(program, [name, String(port)], { execArgv: [] });
    const exited = once(child, 'exit');
    const [told] = (await Promise.race([once(child, 'message'), exited.then(() => Promise.reject(new Error(`backend ${name} did not start`)))])) as [{ port: number }];
    return new BackendProcess(name, told.port, child, exited);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** As `kill -9` does it; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}
