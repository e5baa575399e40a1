/** The proxies under measurement, each with one thread that relays tcp to the same backends, and nothing else switched on. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../test/support/free-port.ts';
import { versionOf } from '../machine.ts';
import { findProgram, PROXY_CORE, start, untilListening, type Started } from '../processes.ts';

export interface TcpProxy {
  readonly name: string;
  readonly started: Started;
  /** In front of the origin, and of Redis. */
  readonly origin: number;
  readonly redis: number;
}

/** Ports of what stands behind. */
export interface Behind {
  readonly origin: number;
  readonly redis: number;
}

interface Front extends Behind {
  readonly dir: string;
  readonly admin: number;
}

interface Peer {
  readonly version: () => string;
  readonly missing: () => string | null;
  readonly configFile: string;
  config(front: Front, behind: Behind): string;
  command(file: string, front: Front): readonly [program: string, ...args: string[]];
}

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so';

export function weirConfig(front: Pick<Front, keyof Behind | 'admin'>, behind: Behind, more = ''): string {
  return `
listeners:
  origin: { bind: "127.0.0.1:${front.origin}", protocol: tcp, pool: origin }
  redis: { bind: "127.0.0.1:${front.redis}", protocol: tcp, pool: redis }
pools:
  origin: { backends: ["127.0.0.1:${behind.origin}"] }
  redis: { backends: ["127.0.0.1:${behind.redis}"] }
admin: { bind: "127.0.0.1:${front.admin}" }
${more}`;
}

const weir: Peer = {
  version: () => `Weir ${versionOf(process.execPath, main, '--version')}`,
  missing: () => null,
  configFile: 'weir.yaml',
  config: weirConfig,
  command: (file, { dir, admin }) => [process.execPath, main, 'run', file, '--workers', '1', '--node', `bench-${admin}`, '--state-dir', join(dir, 'state')],
};

const nginx: Peer = {
  version: () => versionOf(findProgram('nginx') ?? 'nginx', '-v'),
  missing: () => (findProgram('nginx') === null ? 'nginx and libnginx-mod-stream' : null),
  configFile: 'nginx.conf',
  config: (front, behind) => `
load_module ${STREAM_MODULE};
worker_processes 1;
worker_rlimit_nofile 20000;
daemon off;
error_log stderr error;
pid ${front.dir}/nginx.pid;
events { worker_connections 20000; }
stream {
  proxy_timeout 1h;
  proxy_half_close on;
  server { listen 127.0.0.1:${front.origin} backlog=4096; proxy_pass 127.0.0.1:${behind.origin}; }
  server { listen 127.0.0.1:${front.redis} backlog=4096; proxy_pass 127.0.0.1:${behind.redis}; }
}
`,
  command: (file, { dir }) => [findProgram('nginx')!, '-p', dir, '-c', file],
};

/** HAProxy needs twice `maxconn` descriptors, with splicing more, and does not start without. */
function haproxy(splice: string, connections: number): Peer {
  return {
    version: () => versionOf(findProgram('haproxy') ?? 'haproxy', '-v'),
    missing: () => (findProgram('haproxy') === null ? 'haproxy' : null),
    configFile: 'haproxy.cfg',
    config: (front, behind) => `
global
    nbthread 1
    maxconn ${connections}
defaults
    mode tcp
    timeout connect 2s
    timeout client 1h
    timeout server 1h
    ${splice}
listen origin
    bind 127.0.0.1:${front.origin} backlog 4096
    server origin 127.0.0.1:${behind.origin}
listen redis
    bind 127.0.0.1:${front.redis} backlog 4096
    server redis 127.0.0.1:${behind.redis}
`,
    command: (file) => [findProgram('haproxy')!, '-db', '-f', file],
  };
}

export const WEIR_AGAIN = 'weir again';

const peers: Readonly<Record<string, Peer>> = {
  weir,
  [WEIR_AGAIN]: weir,
  nginx,
  haproxy: haproxy('no option splice-auto', 8000),
  'haproxy, splicing': haproxy('option splice-auto', 2000),
};

export const proxyNames: readonly string[] = Object.keys(peers);

export function missingFor(name: string): string | null {
  return peers[name]!.missing();
}

export function versions(): string[] {
  return ['weir', 'nginx', 'haproxy'].filter((name) => missingFor(name) === null).map((name) => peers[name]!.version());
}

export async function startProxy(name: string, behind: Behind, parent: string): Promise<TcpProxy> {
  const peer = peers[name]!;
  const dir = join(parent, name.replaceAll(/\W+/g, '-'));
  mkdirSync(dir, { recursive: true });
  const front = { dir, origin: await freePort(), redis: await freePort(), admin: await freePort() };
  const file = join(dir, peer.configFile);
  writeFileSync(file, peer.config(front, behind));
  const [program, ...args] = peer.command(file, front);
  const started = start(PROXY_CORE, program, args);
  await untilListening(name, started, front.origin);
  await untilListening(name, started, front.redis);
  return { name, started, origin: front.origin, redis: front.redis };
}
