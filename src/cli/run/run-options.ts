/**
 * The flags of `weir run` as the process uses them: checked, defaults filled
 * in. What differs per proxy is here; all else is in the config file.
 */
import { availableParallelism, hostname } from 'node:os';
import { isIP } from 'node:net';
import { dirname, resolve } from 'node:path';
import { stateDirPath } from './state-dir.ts';

/** As commander gives them: a flag's text, else its WEIR_ variable's. */
export interface RunFlags {
  readonly node?: string;
  readonly admin?: string;
  readonly stateDir?: string;
  readonly workers?: string;
  readonly plugins?: string;
  readonly watch?: boolean;
  readonly store?: string;
  readonly zone?: string;
  readonly tierKey?: string;
  /** IPs, separated by commas. */
  readonly advertise?: string;
}

export interface RunOptions {
  /** As given: it stands in messages. */
  readonly file: string;
  readonly node: string;
  /** Instead of `admin.bind`; null: the file's. */
  readonly adminBind: string | null;
  readonly stateDir: string;
  readonly workers: number;
  /** What workers may load code from: --plugins, else FILE's folder. */
  readonly pluginsDir: string;
  /** Without --plugins a config of a tier with a store may name no code: who can write the store must not be able to run it. */
  readonly pluginsGiven: boolean;
  readonly watch: boolean;
  /** Instead of `tier.store`; null: the file's. */
  readonly store: string | null;
  /** '': none. */
  readonly zone: string;
  /** File whose content signs configs and operator states; null: none. */
  readonly tierKeyFile: string | null;
  /** Literal IPs; empty: the listeners' own. */
  readonly advertise: readonly string[];
}

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const NODE = /^[A-Za-z0-9._-]{1,63}$/;
const WORKERS_MAX = 1024;

/** Throws UsageError for a flag that cannot be used. */
export function resolveRunOptions(file: string, flags: RunFlags, environment: NodeJS.ProcessEnv): RunOptions {
  const node = flags.node ?? hostname();
  if (!NODE.test(node)) {
    throw new UsageError(`--node ${JSON.stringify(node)}${flags.node === undefined ? ' (the host name)' : ''}: letters, digits and ._- are allowed, 63 at most`);
  }
  return {
    file,
    node,
    adminBind: flags.admin ?? null,
    stateDir: stateDirPath(flags.stateDir, environment, node),
    workers: workerCount(flags.workers ?? 'auto'),
    pluginsDir: resolve(flags.plugins ?? dirname(file)),
    pluginsGiven: flags.plugins !== undefined,
    watch: flags.watch ?? true,
    store: flags.store ?? null,
    zone: zoneOf(flags.zone ?? ''),
    tierKeyFile: flags.tierKey === undefined ? null : resolve(flags.tierKey),
    advertise: advertised(flags.advertise),
  };
}

function zoneOf(zone: string): string {
  if (zone !== '' && !NODE.test(zone)) throw new UsageError(`--zone ${JSON.stringify(zone)}: letters, digits and ._- are allowed, 63 at most`);
  return zone;
}

function advertised(list: string | undefined): string[] {
  if (list === undefined) return [];
  const addresses = list.split(',').map((address) => address.trim());
  for (const address of addresses) if (isIP(address) === 0) throw new UsageError(`--advertise ${JSON.stringify(address)}: not an IP address`);
  return addresses;
}

function workerCount(text: string): number {
  if (text === 'auto') return availableParallelism();
  const count = /^[0-9]+$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > WORKERS_MAX) throw new UsageError(`--workers ${text}: a whole number from 1 to ${WORKERS_MAX}, or auto`);
  return count;
}
