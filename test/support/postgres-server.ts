/** A real PostgreSQL of a test's own (database-server.ts), that keeps nothing safe on disk. */
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { asNobody, DatabaseServer, type DatabaseKind } from './database-server.ts';

const run = promisify(execFile);
/** In a file of its own per server; trust for the test's own commands. */
const LOCAL_RULES = ['local all postgres trust', 'local replication postgres trust', 'host replication postgres 127.0.0.1/32 trust'];
/** SIGQUIT is its quick shutdown: it lets go of its shared memory. A standby that is not hot never is ready, and says so only to those who ask. */
const KIND: DatabaseKind = { name: 'PostgreSQL', crash: 'SIGQUIT', ready: /ready to accept|started streaming WAL/ };

/** Debian keeps the programs of each version apart. Null: not installed. */
export const postgresPrograms: string | null = (() => {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  return versions.map((version) => join(root, version, 'bin')).find((folder) => existsSync(join(folder, 'initdb'))) ?? null;
})();

export const POSTGRES_ADVICE = postgresPrograms === null ? ' (left out: PostgreSQL is not installed; Debian, Ubuntu: apt-get install postgresql)' : '';

function program(name: string, args: readonly string[]): [string, string[]] {
  return asNobody(KIND, join(postgresPrograms!, name), args);
}

async function runProgram(name: string, args: readonly string[]): Promise<string> {
  return (await run(...program(name, args), { env: { ...process.env, LC_ALL: 'C' }, cwd: '/' })).stdout;
}

export interface PostgresOptions {
  /** Lines of its pg_hba.conf, behind those for the test's own commands. */
  readonly rules?: readonly string[];
  /** Settings, `name=value`. */
  readonly settings?: readonly string[];
}

export class PostgresServer extends DatabaseServer {
  readonly #options: PostgresOptions;

  private constructor(options: PostgresOptions) {
    super(KIND);
    chmodSync(this.folder, 0o700);
    this.#options = options;
  }

  /** A primary. Resolves once it accepts connections. */
  static async start(options: PostgresOptions = {}): Promise<PostgresServer> {
    const server = new PostgresServer(options);
    await runProgram('initdb', ['--no-sync', '--no-instructions', '--locale=C', '--encoding=UTF8', '--username=postgres', '--auth=trust', '-D', server.files]);
    await server.#start();
    return server;
  }

  /** A hot standby of this one; `settings` are further ones. Its `started` says whether it is to be waited for. */
  async standby(settings: readonly string[] = []): Promise<PostgresServer> {
    const standby = new PostgresServer({ ...this.#options, settings: [...(this.#options.settings ?? []), ...settings] });
    await runProgram('pg_basebackup', ['-h', '127.0.0.1', '-p', String(this.port), '-U', 'postgres', '-D', standby.files, '--write-recovery-conf', '--checkpoint=fast', '--no-sync']);
    await standby.#start();
    return standby;
  }

  async #start(): Promise<void> {
    writeFileSync(join(this.files, 'pg_hba.conf'), [...LOCAL_RULES, ...(this.#options.rules ?? []), ''].join('\n'));
    await this.boot();
  }

  protected override command(): [string, string[]] {
    const settings = [
      `port=${this.port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${this.folder}`, 'lc_messages=C',
      'fsync=off', 'full_page_writes=off', 'synchronous_commit=off', 'autovacuum=off', 'shared_buffers=4MB', 'max_connections=20', 'max_wal_senders=4', 'wal_receiver_status_interval=1s',
      ...(this.#options.settings ?? []),
    ];
    return program('postgres', ['-D', this.files, ...settings.flatMap((setting) => ['-c', setting])]);
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

  /** One that was killed comes back under its address, in recovery: it reads and takes no writes. */
  async returnAsStandby(): Promise<void> {
    writeFileSync(join(this.files, 'standby.signal'), '');
    await this.#start();
  }
}
