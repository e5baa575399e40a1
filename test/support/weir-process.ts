/**
 * A proxy as an operator runs it: a process of its own over a config in a
 * folder of its own, on free ports. It keeps the log, tells the ports, and is
 * gone with its folder after `stop`. `await using` stops it at the end of a
 * test.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { warmEnv } from './warm-start.ts';

/** Longer than anything here takes on a busy machine, shorter than a test's own time. */
const WAIT_MS_MAX = 60_000;

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** A test that runs out of time never comes to its end, and its proxies must not outlive the test's process. */
const running = new Set<ChildProcess>();
const killRunning = (): void => {
  for (const child of running) child.kill('SIGKILL');
};
process.once('exit', killRunning);
process.once('SIGTERM', () => {
  killRunning();
  process.kill(process.pid, 'SIGTERM');
});

export interface WeirOptions {
  /** After `run FILE`; `--state-dir` and `--workers 2` are given unless named here. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Instead of weir.yaml in the folder. */
  readonly file?: string;
  /** Made if absent, removed on `stop` either way. */
  readonly folder?: string;
}

/** One line of its log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly text: string };

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** Of the connection it came over, on this side. */
  readonly localPort?: number;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class WeirProcess implements AsyncDisposable {
  readonly folder: string;
  readonly file: string;
  readonly log: LogLine[] = [];
  /** What it wrote on stderr that is no log line. */
  said = '';
  /** What it wrote on stdout. */
  out = '';
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #waiting = new Set<() => void>();
  readonly #kill = (): void => void this.#child.kill('SIGKILL');

  private constructor(folder: string, file: string, { args = [], env = {} }: WeirOptions) {
    this.folder = folder;
    this.file = file;
    const given = (name: string): boolean => args.includes(name);
    const flags = [...(given('--state-dir') ? [] : ['--state-dir', join(folder, 'state')]), ...(given('--workers') ? [] : ['--workers', '2'])];
    this.#child = spawn(process.execPath, [main, 'run', file, ...flags, ...args], { env: { ...process.env, ...warmEnv, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(this.#child);
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.out += text));
    const lines = createInterface({ input: this.#child.stderr! });
    lines.on('line', (line) => this.#take(line));
    const closed = once(lines, 'close');
    this.exited = once(this.#child, 'exit').then(async ([code, signal]) => {
      running.delete(this.#child);
      await closed;
      return { code: code as number | null, signal: signal as NodeJS.Signals | null };
    });
  }

  /** Starts it and does not wait. */
  static async spawn(yaml: string, options: WeirOptions = {}): Promise<WeirProcess> {
    const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'weir-')));
    const file = options.file ?? join(folder, 'weir.yaml');
    if (options.file === undefined) await writeFile(file, yaml);
    return new WeirProcess(folder, file, options);
  }

  /** Starts it and waits until it is ready. */
  static async start(yaml: string, options: WeirOptions = {}): Promise<WeirProcess> {
    const weir = await WeirProcess.spawn(yaml, options);
    await weir.line(({ text }) => text === 'ready');
    return weir;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Port behind the first bind of a listener. */
  port(listener = 'web'): number {
    return Number(this.log.findLast((line) => line.text === 'listening' && line['listener'] === listener)!['port']);
  }

  get adminPort(): number {
    return Number(this.log.findLast(({ text }) => text === 'admin interface')!['port']);
  }

  /** The first log line from index `from` on that `isIt`; waits for it. Rejects if the process ends without. */
  async line(isIt: (line: LogLine) => boolean, from = 0): Promise<LogLine> {
    let end = '';
    const endWith = (how: string): void => {
      end = how;
      this.#wake();
    };
    void this.exited.then(() => endWith('it ended'));
    const timer = setTimeout(() => endWith(`${WAIT_MS_MAX / 1000} s went by`), WAIT_MS_MAX);
    for (let index = from; ; ) {
      const found = this.log.findIndex((line, at) => at >= index && isIt(line));
      if (found !== -1 || end !== '') clearTimeout(timer);
      if (found !== -1) return this.log[found]!;
      if (end !== '') throw new Error(`${end} without that line (${String(isIt)}):\n${this.log.map((line) => JSON.stringify(line)).join('\n')}\n${this.said}`);
      index = this.log.length;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
      });
    }
  }

  /** Does `change`, and waits for the reload that it causes to end, well or not. */
  async reloadBy(change: () => Promise<unknown> | void): Promise<LogLine> {
    const from = this.log.length;
    await change();
    return this.line(({ text }) => text === 'config runs' || text === 'config is unchanged' || text.startsWith('config refused'), from);
  }

  /** Replaces the config as an editor does; resolves with the line that says what came of it. */
  edit(yaml: string): Promise<LogLine> {
    return this.reloadBy(async () => {
      await writeFile(`${this.file}.new`, yaml);
      await rename(`${this.file}.new`, this.file);
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** One request over a connection of its own. Rejects if it is not answered. */
  get(path: string, listener = 'web'): Promise<Answer> {
    return ask(this.port(listener), path);
  }

  admin(path: string, method: 'GET' | 'POST' = 'GET', body?: unknown): Promise<Answer> {
    return ask(this.adminPort, path, { method, body });
  }

  async stop(): Promise<void> {
    this.#kill();
    await this.exited;
    await rm(this.folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #take(line: string): void {
    try {
      this.log.push(JSON.parse(line) as LogLine);
    } catch {
      this.said += `${line}\n`;
    }
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }
}

export interface AskOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: 'GET' | 'POST';
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Default: a connection of its own. */
  readonly agent?: Agent;
}

export async function ask(port: number, path: string, { method = 'GET', body, headers: more = {}, agent = new Agent({ keepAlive: false }) }: AskOptions = {}): Promise<Answer> {
  const headers = { ...(method === 'POST' ? { 'content-type': 'application/json' } : {}), ...more };
  const outgoing = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent, signal: AbortSignal.timeout(WAIT_MS_MAX) });
  outgoing.end(body === undefined ? '' : JSON.stringify(body));
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  const localPort = response.socket.localPort!;
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk as string;
  return { status: response.statusCode!, headers: response.headers, body: text, localPort };
}

/** A config whose listener `web` answers every path with `body`, over no backend at all. */
export function respondingConfig(body: string, more = ''): string {
  return `
listeners:
  web: { bind: "127.0.0.1:0", routes: [{ respond: { status: 200, body: ${JSON.stringify(body)} } }] }
pools: {}
admin: { bind: "127.0.0.1:0" }
drain: { delay: 0, timeout: 5s }
${more}`;
}

/**
 * For what nobody announces: asks again until it holds, a little apart so as
 * not to starve what it waits for. Gives up before the test's own time is over,
 * so that a failure says what was waited for.
 */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + WAIT_MS_MAX;
  while (!(await holds())) {
    if (performance.now() > untilMs) throw new Error(`still not so after ${WAIT_MS_MAX / 1000} s: ${String(holds)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
