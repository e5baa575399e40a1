/**
 * `weir demo` and `npm start`: starts the three demo backends as processes of
 * their own and says what to try. The caller then runs the proxy itself, in
 * this process, over `demoConfigFile`; the backends end when this process does.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { demoBackends, type DemoBackend } from './demo-backend.ts';

/** Lies beside src/ in a checkout and beside dist/ in the installed package: as many folders up from here. */
export const demoConfigFile = fileURLToPath(new URL('../../../config/demo.yaml', import.meta.url));

/** What a backend process tells its parent. */
export type BackendReport = { readonly kind: 'listening'; readonly port: number } | { readonly kind: 'failed'; readonly reason: string };

export interface RunningBackend extends DemoBackend {
  readonly pid: number;
}

/**
 * Starts the backends, waits until they listen and prints the tour to `print`.
 * Rejects with a sentence for the operator if one cannot listen.
 */
export async function startDemo(print: (text: string) => void): Promise<readonly RunningBackend[]> {
  const running = await startBackends();
  print(tour(running, commandPrefix(process.argv[1] ?? '')));
  return running;
}

/** Resolves once all of them listen. */
export function startBackends(backends: readonly DemoBackend[] = demoBackends): Promise<RunningBackend[]> {
  return Promise.all(backends.map((backend) => startBackend(backend)));
}

/** `ts` in a checkout, `js` in a build. */
const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.') + 1);
const backendEntry = fileURLToPath(new URL(`./backend-entry.${extension}`, import.meta.url));

function startBackend(backend: DemoBackend): Promise<RunningBackend> {
  const child = fork(backendEntry, [backend.name, String(backend.port)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  return new Promise((resolve, reject) => {
    const failed = (reason: string): void => reject(new Error(`the demo backend "${backend.name}" cannot listen on 127.0.0.1:${backend.port}: ${reason}`));
    child.once('exit', (code, signal) => failed(`its process ended (${signal ?? code})`));
    child.once('message', (report: BackendReport) => {
      if (report.kind === 'failed') return failed(report.reason);
      child.removeAllListeners('exit');
      letGo(child);
      resolve({ ...backend, port: report.port, pid: child.pid! });
    });
  });
}

/** The demo must not stay alive for its backends' sake; they watch for its end instead. */
function letGo(child: ChildProcess): void {
  child.unref();
  child.channel?.unref();
}

/** How the reader's own shell reaches this program. */
export function commandPrefix(script: string): string {
  return script.endsWith('.ts') ? 'npm run weir --' : 'weir';
}

export type TourStep = readonly [command: string, effect: string];

export interface Tour {
  readonly title: string;
  /** What runs: cells of a table. */
  readonly rows: readonly (readonly string[])[];
  readonly steps: readonly TourStep[];
  readonly after: readonly string[];
}

export function tourText({ title, rows, steps, after }: Tour): string {
  const width = Math.max(...steps.map(([command]) => command.length)) + 3;
  const columns = rows[0]!.map((_cell, c) => Math.max(...rows.map((row) => row[c]!.length)));
  return [
    '',
    title,
    '',
    ...rows.map((row) => `    ${row.map((cell, c) => cell.padEnd(columns[c]!)).join('   ')}`.trimEnd()),
    '',
    '  To try, in another terminal:',
    '',
    ...steps.map(([command, effect]) => `    ${command.padEnd(width)}${effect}`),
    '',
    ...after.map((line) => (line === '' ? '' : `  ${line}`)),
    '',
    '  Ctrl-C ends it all.',
    '',
    '',
  ].join('\n');
}

function tour(backends: readonly RunningBackend[], weir: string): string {
  const [first] = backends;
  return tourText({
    title: '  A load balancer on http://localhost:8080 (HTTP) and :8090 (TCP), over three backends:',
    rows: backends.map(({ name, port, pid }) => [name, `127.0.0.1:${port}`, `pid ${pid}`]),
    steps: [
      ['curl localhost:8080', 'again and again: each backend takes its turn'],
      ['curl localhost:8080/headers', 'what a backend is sent'],
      ['curl localhost:8090/headers', 'the same backends by TCP: bytes go through as they are'],
      [`kill ${first?.pid}`, `${first?.name} dies, and no request is lost`],
      [`${weir} status`, 'who is up, who is down, and why'],
      [`${weir} demo backend ${first?.name}`, `${first?.name} comes back`],
      ['curl localhost:9900/metrics', 'the same in numbers, for Prometheus'],
    ],
    after: ['Edit the config while it runs, a weight for one, and see the turns change:', '', `  ${demoConfigFile}`],
  });
}
