/**
 * A real browser (Debian package chromium) without a window, over the DevTools
 * protocol, with a profile of its own that is gone with it. It believes the
 * one certificate it is told, and finds the one name at the loopback; anything
 * else it can reach is nobody's. `await using` ends it, with all its processes.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';

const WITHIN_MS = 60_000;
/** Its processes write into the profile until the last of them is gone. */
const REMOVE_TRIES = 20;

interface Told {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

interface Evaluated {
  readonly result: { readonly value: unknown };
  readonly exceptionDetails?: { readonly text: string; readonly exception?: { readonly description?: string } };
}

export class Chromium implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #devTools: WebSocket;
  readonly #waiting = new Map<number, (told: Told) => void>();
  #count = 0;
  readonly #kill: () => void;

  private constructor(child: ChildProcess, profile: string, devTools: WebSocket, kill: () => void) {
    this.#child = child;
    this.#profile = profile;
    this.#devTools = devTools;
    this.#kill = kill;
    devTools.on('message', (data: Buffer) => {
      const told = JSON.parse(data.toString()) as Told;
      if (told.id !== undefined) this.#waiting.get(told.id)?.(told);
    });
  }

  /** `cert`: in PEM; `name`: for which the browser goes to 127.0.0.1. */
  static async start(cert: string, name: string): Promise<Chromium> {
    const profile = await mkdtemp(join(tmpdir(), 'weir-chromium-'));
    const key = createHash('sha256').update(new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' })).digest('base64');
    const args = [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--no-proxy-server', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-extensions',
      `--user-data-dir=${profile}`, `--ignore-certificate-errors-spki-list=${key}`, `--host-resolver-rules=MAP ${name} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`, '--remote-debugging-port=0', 'about:blank',
    ];
    // A group of its own, since it starts many processes.
    const child = spawn('chromium', args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    const kill = (): void => {
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // Gone already.
      }
    };
    process.once('exit', kill);
    try {
      const devTools = new WebSocket(await addressOf(child));
      await once(devTools, 'open');
      return new Chromium(child, profile, devTools, kill);
    } catch (error) {
      kill();
      throw error;
    }
  }

  /** Opens a page and resolves once all of it is there, with what runs an expression in it; a promise that it comes to is waited for. */
  async open(url: string): Promise<(expression: string) => Promise<unknown>> {
    const { targetId } = (await this.#ask('Target.createTarget', { url })) as { targetId: string };
    const { sessionId } = (await this.#ask('Target.attachToTarget', { targetId, flatten: true })) as { sessionId: string };
    // The target is there before its page is: until then the expression would run in an empty one.
    await this.#until(sessionId, `location.href === ${JSON.stringify(url)} && document.readyState === 'complete'`);
    return (expression) => this.#run(sessionId, expression);
  }

  async #until(sessionId: string, condition: string): Promise<void> {
    const giveUpAtMs = performance.now() + WITHIN_MS;
    while ((await this.#run(sessionId, condition)) !== true) {
      if (performance.now() > giveUpAtMs) throw new Error(`the page did not load: ${JSON.stringify(await this.#run(sessionId, 'document.documentElement.outerHTML.slice(0, 1000)'))}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #run(sessionId: string, expression: string): Promise<unknown> {
    const { result, exceptionDetails } = (await this.#ask('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true }, sessionId)) as Evaluated;
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  #ask(method: string, params: object, sessionId?: string): Promise<unknown> {
    const id = ++this.#count;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${method} was not answered`)), WITHIN_MS);
      this.#waiting.set(id, ({ result, error }) => {
        clearTimeout(late);
        this.#waiting.delete(id);
        if (error === undefined) resolve(result);
        else reject(new Error(`${method}: ${error.message}`));
      });
      this.#devTools.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#devTools.terminate();
    const exited = this.#child.exitCode === null && this.#child.signalCode === null ? once(this.#child, 'exit') : null;
    this.#kill();
    await exited;
    process.off('exit', this.#kill);
    await rm(this.#profile, { recursive: true, force: true, maxRetries: REMOVE_TRIES, retryDelay: 50 });
  }
}

/** Where it listens, as it says by itself. */
async function addressOf(child: ChildProcess): Promise<string> {
  const said: string[] = [];
  const late = setTimeout(() => child.kill('SIGKILL'), WITHIN_MS);
  try {
    for await (const line of createInterface({ input: child.stderr! })) {
      const found = /^DevTools listening on (ws:\S+)/.exec(line);
      if (found !== null) return found[1]!;
      said.push(line);
    }
  } finally {
    clearTimeout(late);
    // What it says later is nobody's, but a full pipe would stop it.
    child.stderr!.resume();
  }
  throw new Error(`chromium does not start: ${said.slice(-10).join('\n')}`);
}
