/** The proxies under measurement: how each is started, with the same duties and one thread. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { versionOf } from '../machine.ts';
import { findProgram, PROXY_CORE, start, untilListening, type Started } from '../processes.ts';
import { freePort } from '../../test/support/free-port.ts';

export interface Target {
  readonly name: string;
  readonly version: string;
  readonly port: number;
  readonly started: Started;
  /** Where its access log is, if its settings ask for one. */
  readonly accessLog: string;
}

/** Values for the places in a config's template that may differ; what is not named is as `defaults` of its plan says. */
export type Settings = Readonly<Record<string, string>>;

export interface TargetKind {
  readonly name: string;
  /** What is missing on this machine; null: nothing. */
  missing(): string | null;
  version(): string;
  start(name: string, originPort: number, dir: string, settings?: Settings): Promise<Target>;
}

const root = fileURLToPath(new URL('../../', import.meta.url));
const peersDir = fileURLToPath(new URL('./peers/', import.meta.url));
const weirEntry = join(root, 'src/main.ts');
/** The same fields for the backend, whichever of its modules nginx sends them by. */
const nginxFields = (directive: string): string =>
  [['Host', '$http_host'], ['X-Forwarded-For', '$remote_addr'], ['X-Forwarded-Proto', '$scheme'], ['X-Forwarded-Host', '$http_host'], ['X-Forwarded-Port', '$server_port'], ['X-Request-ID', '$request_id']].map(([name, value]) => `${directive} ${name} ${value};`).join(' ');

interface LaunchPlan {
  readonly template: string | null;
  readonly defaults: Settings;
  readonly program: () => string | null;
  readonly version: () => string;
  args(file: string, values: Settings): readonly string[];
}

/** nginx's forwarding of gRPC. */
export const nginxGrpc = `grpc_pass grpc://origin; ${nginxFields('grpc_set_header')}`;

const plans: Readonly<Record<string, LaunchPlan>> = {
  weir: {
    template: 'weir.yaml',
    defaults: { entry: weirEntry, workers: '1', routing: 'pool: origin', backends: 'backends: ["127.0.0.1:{{originPort}}"]', health: 'health: http', accessFormat: 'off', accessFile: '{{accessLog}}' },
    program: () => process.execPath,
    version: () => `Weir ${versionOf(process.execPath, weirEntry, '--version')}`,
    args: (file, { entry = '', workers = '', port = '', dir = '' }) => [entry, 'run', file, '--workers', workers, '--node', `bench-${port}`, '--state-dir', join(dir, 'state')],
  },
  nginx: {
    template: 'nginx.conf',
    defaults: { workers: '1', accessLogging: 'off', buffering: 'on', requestBuffering: 'on', connection: 'proxy_set_header Connection "";', protocol: '', tls: '', forwarding: `proxy_pass http://origin; proxy_http_version 1.1; {{connection}} ${nginxFields('proxy_set_header')}` },
    program: () => findProgram('nginx'),
    version: () => versionOf(findProgram('nginx') ?? 'nginx', '-v'),
    args: (file, { dir = '' }) => ['-p', dir, '-c', file],
  },
  haproxy: {
    template: 'haproxy.cfg',
    defaults: { threads: '1', connections: '4096', splice: 'no option splice-auto', logging: 'no log', protocol: '', scheme: 'http', tls: '', health: 'option httpchk GET /', backendProtocol: '' },
    program: () => findProgram('haproxy'),
    version: () => versionOf(findProgram('haproxy') ?? 'haproxy', '-v'),
    args: (file) => ['-db', '-f', file],
  },
  'http-proxy': {
    template: null,
    defaults: {},
    program: () => process.execPath,
    version: () => (JSON.parse(readFileSync(join(root, 'node_modules/http-proxy/package.json'), 'utf8')) as { version: string }).version,
    args: (_file, { port = '', originPort = '' }) => ['--no-deprecation', join(peersDir, 'http-proxy.ts'), port, originPort],
  },
};

function kindOf(name: string, plan: LaunchPlan): TargetKind {
  return {
    name,
    missing: () => (plan.program() === null ? `${name} is not installed` : null),
    version: plan.version,
    async start(as, originPort, parentDir, settings = {}) {
      const program = plan.program();
      if (program === null) throw new Error(`${name} is not installed`);
      const port = await freePort();
      const dir = join(parentDir, as.replaceAll(/\W+/g, '-'));
      mkdirSync(dir, { recursive: true });
      const accessLog = join(dir, 'access.log');
      const values = valuesOf(plan, settings, { dir, accessLog, port: String(port), adminPort: String(await freePort()), originPort: String(originPort) });
      const file = plan.template === null ? '' : join(dir, plan.template);
      if (file !== '') writeFileSync(file, configText(plan, values));
      const started = start(PROXY_CORE, program, plan.args(file, values), name === 'haproxy' ? { stdoutFile: accessLog } : {});
      await untilListening(as, started, port);
      return { name: as, version: plan.version(), port, started, accessLog };
    },
  };
}

function valuesOf(plan: LaunchPlan, settings: Settings, places: Settings): Settings {
  const unknown = Object.keys(settings).filter((name) => plan.defaults[name] === undefined);
  if (unknown.length > 0) throw new Error(`no place for ${unknown.join(', ')} in ${plan.template ?? 'a proxy without config'}`);
  return { ...plan.defaults, ...settings, ...places };
}

function configText(plan: LaunchPlan, values: Settings): string {
  return filled(readFileSync(join(peersDir, `${plan.template}.template`), 'utf8'), values);
}

/** The config that a proxy of this name is started with. */
export function configOf(name: string, settings: Settings, places: Settings): string {
  const plan = plans[name]!;
  return configText(plan, valuesOf(plan, settings, places));
}

/** `text` with each `{{name}}` replaced by its value, in which places are filled in turn. */
export function filled(text: string, values: Settings): string {
  return text.replaceAll(/\{\{(\w+)\}\}/g, (place, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`no value for ${place}`);
    return filled(value, values);
  });
}

export const targetKinds: readonly TargetKind[] = Object.entries(plans).map(([name, plan]) => kindOf(name, plan));
