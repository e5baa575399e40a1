/** nginx and HAProxy as origins: real processes at their default strictness, each handing on what it understood to a recorder. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../support/free-port.ts';

export interface PeerProcess {
  readonly port: number;
  stop(): Promise<void>;
}

export const peerNames = ['nginx', 'haproxy'] as const;
export type PeerName = (typeof peerNames)[number];

const STARTS_WITHIN_MS = 10_000;

/** The command that runs it, or null if this machine has none. */
export function commandOf(name: PeerName): string | null {
  const candidates = [name, `/usr/sbin/${name}`];
  return candidates.find((command) => spawnSync(command, [name === 'nginx' ? '-v' : '-vv'], { stdio: 'ignore' }).status === 0) ?? null;
}

const configs: Record<PeerName, (folder: string, port: number, recorderPort: number) => string> = {
  nginx: (folder, port, recorderPort) => `
daemon off;
master_process off;
error_log stderr emerg;
pid ${folder}/nginx.pid;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  keepalive_requests 1000000000;
  large_client_header_buffers 8 64k;
  client_max_body_size 0;
  upstream recorder { server 127.0.0.1:${recorderPort}; keepalive 4; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://recorder; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host; }
  }
}
`,
  haproxy: (_folder, port, recorderPort) => `
global
  maxconn 256
  tune.bufsize 65536
  tune.http.maxhdr 512
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend web
  bind 127.0.0.1:${port}
  default_backend recorder
backend recorder
  server recorder 127.0.0.1:${recorderPort}
`,
};

export async function startPeer(name: PeerName, command: string, recorderPort: number): Promise<PeerProcess> {
  const folder = mkdtempSync(join(tmpdir(), `weir-${name}-`));
  const port = await freePort();
  const file = join(folder, `${name}.conf`);
  writeFileSync(file, configs[name](folder, port, recorderPort));
  const child = spawn(command, name === 'nginx' ? ['-p', folder, '-c', file] : ['-db', '-f', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (bytes: Buffer) => (stderr = (stderr + bytes.toString()).slice(-4000)));
  process.once('exit', () => child.kill('SIGKILL'));
  await untilListening(child, port, () => stderr);
  return {
    port,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function untilListening(child: ChildProcess, port: number, said: () => string): Promise<void> {
  const giveUpAtMs = performance.now() + STARTS_WITHIN_MS;
  while (!(await accepts(port))) {
    if (child.exitCode !== null || performance.now() > giveUpAtMs) throw new Error(`it does not listen:\n${said()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
