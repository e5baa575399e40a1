/**
 * Before anything is counted every proxy must answer right: a fast wrong
 * answer is no result. Checked are status, length and bytes of each scenario's
 * answer, and that the backend was sent the fields all proxies are to add.
 */
import { request, type IncomingMessage } from 'node:http';
import type { Scenario } from './scenarios.ts';
import { runWebSocketLoad } from './websocket-load.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** Throws with what is wrong. */
export async function checkTarget(name: string, port: number, originPort: number, scenarios: readonly Scenario[]): Promise<void> {
  await checkForwardedFields(name, port);
  for (const scenario of scenarios) {
    const direct = await exchange(originPort, scenario);
    const proxied = await exchange(port, scenario);
    const wrong = (what: string): never => {
      throw new Error(`${name} answers "${scenario.name}" wrongly: ${what}`);
    };
    if (proxied.status !== direct.status) wrong(`status ${proxied.status} instead of ${direct.status}`);
    if (!proxied.body.equals(direct.body)) wrong(`a body of ${proxied.body.length} bytes, not the ${direct.body.length} the backend sends`);
    if (proxied.body.length !== scenario.answerBytes) wrong(`${proxied.body.length} bytes instead of ${scenario.answerBytes}`);
    if (proxied.headers['content-length'] === undefined) wrong('no Content-Length, which the load generator needs');
  }
}

async function checkForwardedFields(name: string, port: number): Promise<void> {
  const host = `bench.example:${port}`;
  const answer = await exchange(port, { method: 'GET', path: '/head', headers: [['Host', host]], uploadBytes: 0 });
  checkFields(name, answer.body.toString('latin1'), { host, port, scheme: 'http' });
}

/** `head` is what the backend got; throws unless the fields are there that all proxies are to add. */
export function checkFields(name: string, head: string, { host, port, scheme }: { readonly host: string; readonly port: number; readonly scheme: string }): void {
  const lines = head.split('\r\n').slice(1);
  const fields = new Map(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
  const expected: readonly (readonly [field: string, value: RegExp])[] = [
    ['host', literal(host)],
    ['x-forwarded-for', /^127\.0\.0\.1$/],
    ['x-forwarded-proto', literal(scheme)],
    ['x-forwarded-host', literal(host)],
    ['x-forwarded-port', literal(String(port))],
    ['x-request-id', /^[0-9a-zA-Z-]{8,}$/],
  ];
  for (const [field, value] of expected) {
    const got = fields.get(field);
    if (got === undefined || !value.test(got)) throw new Error(`${name} sends the backend ${field}: ${got ?? 'nothing'}, expected ${value.source}`);
  }
}

function literal(text: string): RegExp {
  return new RegExp(`^${text.replaceAll(/[.\\[\]]/g, '\\$&')}$`);
}

function exchange(port: number, { method, path, headers, uploadBytes }: Pick<Scenario, 'method' | 'path' | 'headers' | 'uploadBytes'>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = method === 'POST' ? { 'Content-Length': uploadBytes } : {};
    const outgoing = request({ port, host: '127.0.0.1', method, path, headers: { ...Object.fromEntries(headers), ...length }, agent: false, timeout: 10_000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }));
      response.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer within 10 s')));
    outgoing.end(Buffer.alloc(uploadBytes, 'u'));
  });
}

/** The same for upgraded connections: one message there and back. */
export async function checkEcho(name: string, port: number, scenario: Scenario): Promise<void> {
  const { requests, errors } = await runWebSocketLoad({ ...scenario, connections: 1 }, port, 1);
  if (requests === 0 || errors > 0) throw new Error(`${name} does not give back a WebSocket's messages`);
}
