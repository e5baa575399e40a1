/** HAProxy and nginx as neighbours of a layer-4 proxy: real processes with a config of the test's. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasProgram, RealServer } from './real-server.ts';

const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so';

export const hasHaproxy = hasProgram('haproxy');
/** With its stream module, which Debian has in a package of its own. */
export const hasNginxStream = hasProgram('nginx') && existsSync(STREAM_MODULE);

export interface StreamPeer {
  readonly port: number;
  stop(): Promise<void>;
}

/** `body`: frontends and backends in mode tcp. */
export function startHaproxy(body: (port: number) => string): Promise<StreamPeer> {
  return start('haproxy', ['-db', '-f'], (_folder, port) => `global\n  maxconn 64\ndefaults\n  mode tcp\n  timeout connect 2s\n  timeout client 20s\n  timeout server 20s\n${body(port)}\n`);
}

/** `body`: what stands in `stream`. */
export function startNginxStream(body: (port: number) => string): Promise<StreamPeer> {
  return start('nginx', ['-c'], (folder, port) => `load_module ${STREAM_MODULE};\ndaemon off;\nmaster_process off;\nerror_log stderr emerg;\npid ${folder}/nginx.pid;\nevents { worker_connections 64; }\nstream {\n${body(port)}\n}\n`);
}

async function start(command: string, args: readonly string[], config: (folder: string, port: number) => string): Promise<StreamPeer> {
  const folder = mkdtempSync(join(tmpdir(), `weir-${command}-`));
  const file = join(folder, `${command}.conf`);
  const peer = await RealServer.start(command, (port) => {
    writeFileSync(file, config(folder, port));
    return [...args, file];
  });
  return {
    port: peer.port,
    async stop() {
      await peer.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
