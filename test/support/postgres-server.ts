/**
 * A real PostgreSQL of a test's own, in a temporary folder and on a free port of
 * the loopback, that keeps nothing safe on disk. It refuses to run as root, so
 * for root it runs as nobody. Ends with `stop`, and with the test's process at
 * the latest.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';

const run = promisify(execFile);
const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;
const TRIES = 3;
/** In a file of its own per server; trust for the test's own commands. */
const LOCAL_RULES = ['local all postgres trust', 'local replication postgres trust', 'host replication postgres 127.0.0.1/32 trust'];

/** Debian keeps the programs of each version apart. Null: not installed. */
export const postgresPrograms: string | null = (() => {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  return versions.map((version) => join(root, version, 'bin')).find((folder) => existsSync(join(folder, 'initdb'))) ?? null;
})();

export const POSTGRES_ADVICE = postgresPrograms === null ? ' (left out: PostgreSQL is not installed; Debian, Ubuntu: apt-get install postgresql)' : '';

const running = new Set<ChildProcess>();
// The quick shutdown: it lets go of its shared memory, which SIGKILL would leave behind.
process.on('exit', () => running.forEach((child) => child.kill('SIGQUIT')));

function program(name: string, args: readonly string[]): [string, string[]] {
  const path = join(postgresPrograms!, name);
  return isRoot ? ['setpriv', [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--pdeathsig=QUIT', path, ...args]] : [path, [...args]];
}

async function runProgram(name: string, args: readonly string[]): Promise<string> {
  return (await run(...program(name, args), { env: { ...process.env, LC_ALL: 'C' }, cwd: '/' })).stdout;
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'weir-postgres-'));
  if (isRoot) chownSync(folder, NOBODY, NOBODY);
  chmodSync(folder, 0o700);
  return folder;
}

export interface PostgresOptions {
  /** Lines of its pg_hba.conf, behind those for the test's own commands. */
  readonly rules?: readonly string[];
  /** Settings, `name=value`. */
  readonly settings?: readonly string[];
}

export class PostgresServer {
  readonly folder: string;
  readonly #options: PostgresOptions;
  /** Everything it logged. */
  readonly log: string[] = [];
  port = 0;
  #child: ChildProcess | null = null;

  private constructor(folder: string, options: PostgresOptions) {
    this.folder = folder;
    this.#options = options;
  }

  /** A primary. Resolves once it accepts connections. */
  static async start(options: PostgresOptions = {}): Promise<PostgresServer> {
    const server = new PostgresServer(newFolder(), options);
    await runProgram('initdb', ['--no-sync', '--no-instructions', '--locale=C', '--encoding=UTF8', '--username=postgres', '--auth=trust', '-D', server.#files]);
    await server.#start();
    return server;
  }

  /** A hot standby of this one; `settings` are further ones. Its `started` says whether it is to be waited for. */
  async standby(settings: readonly string[] = []): Promise<PostgresServer> {
    const standby = new PostgresServer(newFolder(), { ...this.#options, settings: [...(this.#options.settings ?? []), ...settings] });
    await runProgram('pg_basebackup', ['-h', '127.0.0.1', '-p', String(this.port), '-U', 'postgres', '-D', standby.#files, '--write-recovery-conf', '--checkpoint=fast', '--no-sync']);
    await standby.#start();
    return standby;
  }

  get #files(): string {
    return join(this.folder, 'files');
  }

  async #start(): Promise<void> {
    writeFileSync(join(this.#files, 'pg_hba.conf'), [...LOCAL_RULES, ...(this.#options.rules ?? []), ''].join('\n'));
    const isNew = this.port === 0;
    for (let tries = 1; ; tries++) {
      if (isNew) this.port = await freePort();
      const failure = await this.#tryStart();
      if (failure === null) return;
      // Another process may have taken the port in between.
      if (tries === TRIES || !isNew) throw new Error(`PostgreSQL does not start: ${failure}`);
    }
  }

  #tryStart(): Promise<string | null> {
    const settings = [
      `port=${this.port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${this.folder}`, 'lc_messages=C',
      'fsync=off', 'full_page_writes=off', 'synchronous_commit=off', 'autovacuum=off', 'shared_buffers=4MB', 'max_connections=20', 'max_wal_senders=4', 'wal_receiver_status_interval=1s',
      ...(this.#options.settings ?? []),
    ];
    const child = spawn(...program('postgres', ['-D', this.#files, ...settings.flatMap((setting) => ['-c', setting])]), { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' });
    this.#child = child;
    running.add(child);
    return new Promise((resolve) => {
      child.once('exit', () => {
        running.delete(child);
        resolve(this.log.slice(-5).join(' | '));
      });
      createInterface({ input: child.stderr }).on('line', (line) => {
        this.log.push(line);
        // A standby that is not hot never is ready, and says so only to those who ask.
        if (/ready to accept|started streaming WAL/.test(line)) resolve(null);
      });
    });
  }

  /** Rows of text, as psql prints them. */
  async sql(text: string): Promise<string> {
    const { stdout } = await run(join(postgresPrograms!, 'psql'), ['-h', this.folder, '-p', String(this.port), '-U', 'postgres', '-d', 'postgres', '-v', 'ON_ERROR_STOP=1', '-XAtqc', text]);
    return stdout.trimEnd();
  }

  /** A standby becomes a primary. */
  async promote(): Promise<void> {
    await this.sql('select pg_promote()');
  }

  /** At once, as a crash. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGQUIT');
    await once(child, 'exit');
  }

  /** One that was killed comes back under its address, in recovery: it reads and takes no writes. */
  async returnAsStandby(): Promise<void> {
    writeFileSync(join(this.#files, 'standby.signal'), '');
    await this.#start();
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
