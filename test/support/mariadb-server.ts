/**
 * A real MariaDB of a test's own, in a temporary folder and on a free port of
 * the loopback, that keeps nothing safe on disk. It refuses to run as root, so
 * for root it runs as nobody. Ends with `stop`, and with the test's process at
 * the latest.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { freePort } from './free-port.ts';

const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;
const TRIES = 3;
/** What its own set-up script runs, without the help texts. */
const SYSTEM_TABLES = ['mysql_system_tables.sql', 'mysql_performance_tables.sql', 'mysql_system_tables_data.sql'].map((name) => join('/usr/share/mysql', name));
/** As little and as quick as it goes. */
const SMALL = ['--innodb-log-file-size=4M', '--innodb-buffer-pool-size=8M', '--innodb-flush-method=nosync', '--innodb-data-file-path=ibdata1:1M:autoextend', '--innodb-flush-log-at-trx-commit=0'];

export const hasMariadb: boolean = existsSync(SYSTEM_TABLES[0]!) && spawnSync('mariadbd', ['--version']).status === 0;
export const MARIADB_ADVICE = hasMariadb ? '' : ' (left out: MariaDB is not installed; Debian, Ubuntu: apt-get install mariadb-server)';

const running = new Set<ChildProcess>();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

function command(...args: readonly string[]): [string, string[]] {
  const all = ['mariadbd', '--no-defaults', ...SMALL, ...args];
  return isRoot ? ['setpriv', [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--pdeathsig=KILL', ...all]] : [all[0]!, all.slice(1)];
}

export class MariadbServer {
  readonly folder: string;
  /** Everything it logged. */
  readonly log: string[] = [];
  port = 0;
  #child: ChildProcess | null = null;
  #root: Connection | null = null;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Resolves once it accepts connections. `statements`: run before that; `settings`: further arguments. */
  static async start({ statements = [] as readonly string[], settings = [] as readonly string[] } = {}): Promise<MariadbServer> {
    const server = new MariadbServer(mkdtempSync(join(tmpdir(), 'weir-mariadb-')));
    mkdirSync(server.#files);
    if (isRoot) for (const path of [server.folder, server.#files]) chownSync(path, NOBODY, NOBODY);
    const tables = SYSTEM_TABLES.map((path) => readFileSync(path, 'utf8'));
    execFileSync(...command('--bootstrap', `--datadir=${server.#files}`, '--log-warnings=0'), { input: ['create database mysql;', 'use mysql;', ...tables, ''].join('\n'), stdio: ['pipe', 'ignore', 'ignore'], cwd: '/' });
    writeFileSync(join(server.folder, 'init.sql'), statements.map((statement) => `${statement};\n`).join(''));
    for (let tries = 1; ; tries++) {
      server.port = await freePort();
      const failure = await server.#tryStart(settings);
      if (failure === null) return server;
      // Another process may have taken the port in between.
      if (tries === TRIES) throw new Error(`MariaDB does not start: ${failure}`);
    }
  }

  get #files(): string {
    return join(this.folder, 'files');
  }

  #tryStart(settings: readonly string[]): Promise<string | null> {
    const places = [`--datadir=${this.#files}`, `--socket=${join(this.folder, 'socket')}`, `--pid-file=${join(this.folder, 'pid')}`, `--init-file=${join(this.folder, 'init.sql')}`];
    const child = spawn(...command(...places, `--port=${this.port}`, '--bind-address=127.0.0.1', '--skip-log-bin', ...settings), { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' });
    this.#child = child;
    running.add(child);
    return new Promise((resolve) => {
      child.once('exit', () => {
        running.delete(child);
        resolve(this.log.slice(-5).join(' | '));
      });
      createInterface({ input: child.stderr }).on('line', (line) => {
        this.log.push(line);
        if (line.includes('ready for connections')) resolve(null);
      });
    });
  }

  /** Rows of what root asks, over the socket of its folder, which counts as no host. */
  async sql(text: string): Promise<RowDataPacket[]> {
    this.#root ??= await createConnection({ socketPath: join(this.folder, 'socket'), user: 'root' });
    return (await this.#root.query<RowDataPacket[]>(text))[0];
  }

  async stop(): Promise<void> {
    this.#root?.destroy();
    const child = this.#child;
    if (child !== null && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
