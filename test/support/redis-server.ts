/**
 * A real redis-server (or valkey-server) of a test's own, on a free port of the
 * loopback, that keeps nothing on disk. Ends with `stop`, and with the test's
 * process at the latest.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis, type RedisOptions } from 'ioredis';
import { REDIS_ADVICE } from './ensure-redis.ts';
import { freePort } from './free-port.ts';

export interface RedisServerOptions {
  /** Lines of its config file, beside port, bind and folder. */
  readonly config?: readonly string[];
  readonly program?: 'redis-server' | 'valkey-server';
  /** As a Sentinel. */
  readonly sentinel?: boolean;
  /** `port` alone is for TLS. */
  readonly tls?: boolean;
  /** Default: a free one. */
  readonly port?: number;
}

const TRIES = 5;
/** Where the system can do that, a server ends with the process that started it, even one that was killed. */
const UNTIL_WE_END = spawnSync('setpriv', ['--version']).status === 0 ? ['setpriv', '--pdeathsig', 'KILL'] : [];
const running = new Set<ChildProcess>();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

export function hasValkey(): boolean {
  return spawnSync('valkey-server', ['--version']).status === 0;
}

export class RedisServer {
  readonly port: number;
  readonly folder: string;
  readonly #child: ChildProcess;
  #client: Redis | null = null;

  private constructor(port: number, folder: string, child: ChildProcess) {
    this.port = port;
    this.folder = folder;
    this.#child = child;
  }

  /** Resolves once it accepts connections. */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    for (let tries = 1; ; tries++) {
      const server = await RedisServer.#tryStart(options);
      if (server instanceof RedisServer) return server;
      // Another process may have taken the port in between.
      if (tries === TRIES || options.port !== undefined) throw new Error(`redis-server does not start: ${server}`);
    }
  }

  static async #tryStart({ config = [], program = 'redis-server', sentinel = false, tls = false, port: wanted }: RedisServerOptions): Promise<RedisServer | string> {
    const port = wanted ?? (await freePort());
    const folder = mkdtempSync(join(tmpdir(), 'weir-redis-'));
    const file = join(folder, 'redis.conf');
    const ports = tls ? [`tls-port ${port}`, 'port 0'] : [`port ${port}`];
    writeFileSync(file, [...ports, 'bind 127.0.0.1', `dir ${folder}`, ...(sentinel ? [] : ['save ""', 'appendonly no']), ...config, ''].join('\n'));
    const [command, ...args] = [...UNTIL_WE_END, program, file, ...(sentinel ? ['--sentinel'] : [])];
    const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    running.add(child);
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ENOENT' ? REDIS_ADVICE : error.message));
      child.once('exit', () => resolve(`it ended: ${lines.slice(-3).join(' | ')}`));
    });
    void ended.then(() => running.delete(child));
    const lines: string[] = [];
    const isUp = new Promise<null>((resolve) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        lines.push(line);
        if (lines.length > 50) lines.shift();
        if (/Ready to accept connections|monitor master/.test(line)) resolve(null);
      });
    });
    const failure = await Promise.race([isUp, ended]);
    if (failure === null) return new RedisServer(port, folder, child);
    rmSync(folder, { recursive: true, force: true });
    return failure;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** A client for the test's own commands. */
  client(options: Omit<RedisOptions, 'replyMapping'> = {}): Redis {
    // Lost when Sentinel gives the server another role.
    if (this.#client?.status === 'end') this.#client = null;
    this.#client ??= new Redis({ host: '127.0.0.1', port: this.port, retryStrategy: null, protocol: 2, ...options }).on('error', () => undefined);
    return this.#client;
  }

  /** It stands still; connections stay. */
  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  /** At once, as a crash. */
  async stop(): Promise<void> {
    this.#client?.disconnect();
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL');
      await once(this.#child, 'exit');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
