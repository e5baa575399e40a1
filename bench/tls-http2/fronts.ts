/**
 * What the proxies of a row are told to speak, and what stands behind them.
 * All terminate the same TLS: version 1.3, one cipher, one group, one
 * certificate (ECDSA P-256), tickets for two hours and no session cache.
 */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../test/support/free-port.ts';
import { startOrigin } from '../load/measure.ts';
import { nginxGrpc, targetKinds, type Settings, type Target } from '../load/targets.ts';
import { findProgram, LOAD_CORE, start, untilListening, type Started } from '../processes.ts';

/** `clear`: HTTP/2 by prior knowledge; `over-http2`: HTTP/1.1 in front of a backend of HTTP/2. */
export type FrontName = 'clear' | 'tls' | 'grpc' | 'over-http2';

export const WEIR_AGAIN = 'weir again';
export const CIPHER = 'TLS_AES_128_GCM_SHA256';
export const GROUP = 'X25519';
const SESSION_S = 7200;
const NGINX_CACHELESS = `ssl_session_cache off; ssl_session_tickets on; ssl_session_timeout ${SESSION_S}s;`;

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Who takes part: `before` is another checkout of Weir, which the present one is held against. */
export interface Contender {
  readonly name: string;
  readonly of: string;
  readonly settings: Settings;
}

export function makeCertificate(dir: string): Certificate {
  const [certFile, keyFile] = [join(dir, 'bench.crt'), join(dir, 'bench.key')];
  const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30', '-subj', '/CN=bench.example', '-addext', 'subjectAltName=DNS:bench.example,IP:127.0.0.1', '-keyout', keyFile, '-out', certFile], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`openssl (Debian package openssl) made no certificate: ${made.error?.message ?? made.stderr}`);
  return { certFile, keyFile };
}

/** What makes each proxy speak it. HAProxy reads certificate and key from one file. */
export function settingsOf(front: FrontName, { certFile, keyFile }: Certificate): Readonly<Record<string, Settings>> {
  switch (front) {
    case 'clear':
      return { weir: {}, nginx: { protocol: ' http2' }, haproxy: { protocol: ' proto h2' } };
    case 'tls':
      return {
        weir: { routing: `pool: origin\n    tls: { certificates: [{ cert: "file:${certFile}", key: "file:${keyFile}" }], minVersion: TLSv1.3, ciphers: ${CIPHER}, curves: ${GROUP} }` },
        nginx: { protocol: ' ssl http2', tls: `ssl_certificate ${certFile}; ssl_certificate_key ${keyFile}; ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites ${CIPHER}; ssl_ecdh_curve ${GROUP}; ${NGINX_CACHELESS}` },
        haproxy: { protocol: ` ssl crt ${certFile}.pem alpn h2,http/1.1 ssl-min-ver TLSv1.3 ciphersuites ${CIPHER} curves ${GROUP}`, tls: `tune.ssl.cachesize 0\n    tune.ssl.lifetime ${SESSION_S}`, scheme: 'https' },
      };
    case 'grpc':
      return {
        weir: { health: 'health: tcp', backends: 'protocol: h2c\n    backends: ["127.0.0.1:{{originPort}}"]' },
        nginx: { protocol: ' http2', forwarding: nginxGrpc },
        haproxy: { protocol: ' proto h2', health: '', backendProtocol: ' proto h2' },
      };
    case 'over-http2':
      return { weir: { health: 'health: tcp', backends: 'protocol: h2c\n    backends: ["127.0.0.1:{{originPort}}"]' }, 'over http1': { health: 'health: tcp' } };
  }
}

/** `beside`: the folder of another checkout, which then takes the place of the peers. */
export function contendersOf(front: FrontName, certificate: Certificate, beside: string | null): Contender[] {
  const settings = settingsOf(front, certificate);
  const weir = { of: 'weir', settings: settings['weir']! };
  const both = [{ name: 'weir', ...weir }, { name: WEIR_AGAIN, ...weir }];
  if (beside !== null) return [...both, { name: 'before', of: 'weir', settings: { ...weir.settings, entry: join(beside, 'src/main.ts') } }];
  if (front === 'over-http2') return [...both, { name: 'over http1', of: 'weir', settings: settings['over http1']! }];
  return [...both, ...['nginx', 'haproxy'].map((of) => ({ name: of, of, settings: settings[of]! }))];
}

/** The port of what stands behind a contender. */
export type Behind = (contender: Contender) => number;

export async function startBehind(front: FrontName, dir: string, running: Started[]): Promise<Behind> {
  if (front === 'grpc') {
    const port = await startGrpcOrigin(running);
    return () => port;
  }
  if (front !== 'over-http2') {
    const port = await startOrigin(running);
    return () => port;
  }
  const { plain, multiplexed } = await startBothOrigins(dir, running);
  return ({ name }) => (name === 'over http1' ? plain : multiplexed);
}

async function startGrpcOrigin(running: Started[]): Promise<number> {
  const origin = start(LOAD_CORE, process.execPath, [fileURLToPath(new URL('./grpc-origin.ts', import.meta.url))], { ipc: true });
  running.push(origin);
  const [{ port }] = (await once(origin.child, 'message')) as [{ port: number }];
  return port;
}

/** One program that speaks either version. */
async function startBothOrigins(dir: string, running: Started[]): Promise<{ plain: number; multiplexed: number }> {
  const nginx = findProgram('nginx');
  if (nginx === null) throw new Error('needs nginx (Debian package nginx) for a backend');
  const [plain, multiplexed] = [await freePort(), await freePort()];
  const file = join(dir, 'origin.conf');
  writeFileSync(
    file,
    `worker_processes 1; daemon off; error_log stderr error; pid ${dir}/origin.pid;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; http2_max_concurrent_streams 128;
  server { listen 127.0.0.1:${plain}; listen 127.0.0.1:${multiplexed} http2; location / { return 200 "a backend's small answer"; } }
}
`,
  );
  const origin = start(LOAD_CORE, nginx, ['-p', dir, '-c', file]);
  running.push(origin);
  await untilListening('the backend', origin, multiplexed);
  return { plain, multiplexed };
}

/** Null, and a line: it is not installed. */
export async function startContender({ name, of, settings }: Contender, originPort: number, dir: string): Promise<Target | null> {
  const kind = targetKinds.find((each) => each.name === of)!;
  const missing = kind.missing();
  if (missing === null) return kind.start(name, originPort, dir, settings);
  console.log(`${missing}: left out`);
  return null;
}
