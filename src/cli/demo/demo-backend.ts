/**
 * One backend of the demo: a small HTTP program with a name, so that anyone
 * can see in the answers, and in `ps`, who took a request. Runs in a process
 * of its own until it is killed, or until the demo that started it ends.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export interface DemoBackend {
  readonly name: string;
  readonly port: number;
}

/** Their addresses stand in config/demo.yaml; a test holds the two together. */
export const demoBackends: readonly DemoBackend[] = [
  { name: 'blue', port: 9001 },
  { name: 'green', port: 9002 },
  { name: 'orange', port: 9003 },
];

const HOST = '127.0.0.1';

/**
 * Serves until the process ends. Resolves once it listens; rejects if the port is taken.
 * `port` 0 takes a free one; the answer is the port in use.
 */
export function serveDemoBackend({ name, port }: DemoBackend): Promise<number> {
  process.title = `weir-demo-${name}`;
  const listening = createServer((request, response) => answer(name, request, response));
  return new Promise((resolve, reject) => {
    listening.once('error', reject);
    listening.listen(port, HOST, () => {
      const address = listening.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

/** Started by the demo: lives exactly as long as the process that started it, however that one ends. */
export function endWithParent(): void {
  // With the exit code set before, if there is one.
  process.once('disconnect', () => process.exit());
  // Ctrl-C reaches the whole process group; the proxy still needs its backends while it drains.
  process.on('SIGINT', () => {});
}

function answer(name: string, request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  const path = (request.url ?? '/').split('?', 1)[0];
  const text = path === '/headers' ? headLines(name, request) : `${name} answers ${request.method} ${request.url} (pid ${process.pid})\n`;
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(text), 'x-backend': name });
  response.end(text);
}

/** What the backend was sent, field by field: shows what the proxy adds. */
function headLines(name: string, request: IncomingMessage): string {
  const lines = [`${name} was sent:`, `${request.method} ${request.url} HTTP/${request.httpVersion}`];
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
  return `${lines.join('\n')}\n`;
}
