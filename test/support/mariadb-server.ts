/** A real MariaDB of a test's own (database-server.ts), that keeps nothing safe on disk. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { asNobody, DatabaseServer, giveToNobody, type DatabaseKind } from './database-server.ts';

/** What its own set-up script runs, without the help texts. */
const SYSTEM_TABLES = ['mysql_system_tables.sql', 'mysql_performance_tables.sql', 'mysql_system_tables_data.sql'].map((name) => join('/usr/share/mysql', name));
/** As little and as quick as it goes. */
const SMALL = ['--innodb-log-file-size=4M', '--innodb-buffer-pool-size=8M', '--innodb-flush-method=nosync', '--innodb-data-file-path=ibdata1:1M:autoextend', '--innodb-flush-log-at-trx-commit=0'];
const KIND: DatabaseKind = { name: 'MariaDB', crash: 'SIGKILL', ready: /ready for connections/ };

export const hasMariadb: boolean = existsSync(SYSTEM_TABLES[0]!) && spawnSync('mariadbd', ['--version']).status === 0;
export const MARIADB_ADVICE = hasMariadb ? '' : ' (left out: MariaDB is not installed; Debian, Ubuntu: apt-get install mariadb-server)';

function program(...args: readonly string[]): [string, string[]] {
  return asNobody(KIND, 'mariadbd', ['--no-defaults', ...SMALL, ...args]);
}

export class MariadbServer extends DatabaseServer {
  readonly #settings: readonly string[];
  #root: Connection | null = null;

  private constructor(settings: readonly string[]) {
    super(KIND);
    this.#settings = settings;
  }

  /** Resolves once it accepts connections. `statements`: run before that; `settings`: further arguments. */
  static async start({ statements = [] as readonly string[], settings = [] as readonly string[] } = {}): Promise<MariadbServer> {
    const server = new MariadbServer(settings);
    mkdirSync(server.files);
    giveToNobody(server.files);
    const tables = SYSTEM_TABLES.map((path) => readFileSync(path, 'utf8'));
    execFileSync(...program('--bootstrap', `--datadir=${server.files}`, '--log-warnings=0'), { input: ['create database mysql;', 'use mysql;', ...tables, ''].join('\n'), stdio: ['pipe', 'ignore', 'ignore'], cwd: '/' });
    writeFileSync(join(server.folder, 'init.sql'), statements.map((statement) => `${statement};\n`).join(''));
    await server.boot();
    return server;
  }

  protected override command(): [string, string[]] {
    const places = [`--datadir=${this.files}`, `--socket=${join(this.folder, 'socket')}`, `--pid-file=${join(this.folder, 'pid')}`, `--init-file=${join(this.folder, 'init.sql')}`];
    return program(...places, `--port=${this.port}`, '--bind-address=127.0.0.1', '--skip-log-bin', ...this.#settings);
  }

  /** Rows of what root asks, over the socket of its folder, which counts as no host. */
  async sql(text: string): Promise<RowDataPacket[]> {
    this.#root ??= await createConnection({ socketPath: join(this.folder, 'socket'), user: 'root' });
    return (await this.#root.query<RowDataPacket[]>(text))[0];
  }

  override async stop(): Promise<void> {
    this.#root?.destroy();
    await super.stop();
  }
}
