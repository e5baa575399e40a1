/** The proxies under measurement: how each is started, with the same duties and one thread. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { versionOf } from '../machine.ts';
import { findProgram, freePort, PROXY_CORE, start, untilListening, type Started } from '../processes.ts';

export interface Target {
  readonly name: string;
  readonly version: string;
  readonly port: number;
  readonly started: Started;
}

export interface TargetKind {
  readonly name: string;
  /** What is missing on this machine; null: nothing. */
  missing(): string | null;
  version(): string;
  start(name: string, originPort: number, dir: string): Promise<Target>;
}

const root = fileURLToPath(new URL('../../', import.meta.url));
const peersDir = fileURLToPath(new URL('./peers/', import.meta.url));
const weirEntry = join(root, 'src/main.ts');

interface LaunchPlan {
  readonly template: string | null;
  readonly program: () => string | null;
  readonly version: () => string;
  args(file: string, ports: Ports, dir: string): readonly string[];
}

interface Ports {
  readonly port: number;
  readonly adminPort: number;
  readonly originPort: number;
}

const plans: Readonly<Record<string, LaunchPlan>> = {
  weir: {
    template: 'weir.yaml',
    program: () => process.execPath,
    version: () => versionOf(process.execPath, weirEntry),
    args: (file, ports, dir) => [weirEntry, 'run', file, '--workers', '1', '--node', `bench-${ports.port}`, '--state-dir', join(dir, 'state')],
  },
  nginx: {
    template: 'nginx.conf',
    program: () => findProgram('nginx'),
    version: () => versionOf(findProgram('nginx') ?? 'nginx', '-v'),
    args: (file, _ports, dir) => ['-p', dir, '-c', file],
  },
  haproxy: {
    template: 'haproxy.cfg',
    program: () => findProgram('haproxy'),
    version: () => versionOf(findProgram('haproxy') ?? 'haproxy', '-v'),
    args: (file) => ['-db', '-f', file],
  },
  'http-proxy': {
    template: null,
    program: () => process.execPath,
    version: () => (JSON.parse(readFileSync(join(root, 'node_modules/http-proxy/package.json'), 'utf8')) as { version: string }).version,
    args: (_file, ports) => ['--no-deprecation', join(peersDir, 'http-proxy.ts'), String(ports.port), String(ports.originPort)],
  },
};

function kindOf(name: string, plan: LaunchPlan): TargetKind {
  return {
    name,
    missing: () => (plan.program() === null ? `${name} is not installed` : null),
    version: plan.version,
    async start(as, originPort, parentDir) {
      const program = plan.program();
      if (program === null) throw new Error(`${name} is not installed`);
      const ports = { port: await freePort(), adminPort: await freePort(), originPort };
      const dir = join(parentDir, as.replaceAll(' ', '-'));
      mkdirSync(dir, { recursive: true });
      const file = plan.template === null ? '' : writeConfig(plan.template, dir, ports);
      const started = start(PROXY_CORE, program, plan.args(file, ports, dir));
      await untilListening(as, started, ports.port);
      return { name: as, version: plan.version(), port: ports.port, started };
    },
  };
}

function writeConfig(template: string, dir: string, ports: Ports): string {
  const values: Readonly<Record<string, string>> = { dir, ...Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)])) };
  const text = readFileSync(join(peersDir, `${template}.template`), 'utf8');
  const file = join(dir, template);
  writeFileSync(
    file,
    text.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => values[name] ?? ''),
  );
  return file;
}

export const targetKinds: readonly TargetKind[] = Object.entries(plans).map(([name, plan]) => kindOf(name, plan));
