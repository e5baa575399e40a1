/** The npm package http-proxy, with a keep-alive agent and the fields the other proxies of the bench add. `http-proxy.ts PORT ORIGIN_PORT`. */
import { randomUUID } from 'node:crypto';
import { Agent, createServer, type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';

/** The part of http-proxy's interface that is used here; the package brings no types. */
interface HttpProxy {
  web(request: IncomingMessage, response: ServerResponse): void;
  on(event: 'proxyReq', run: (outgoing: ClientRequest, request: IncomingMessage) => void): void;
  on(event: 'error', run: (error: Error, request: IncomingMessage, response: ServerResponse) => void): void;
}
interface HttpProxyModule {
  createProxyServer(this: void, options: { target: string; agent: Agent }): HttpProxy;
}

const [port, originPort] = process.argv.slice(2);
const { createProxyServer } = createRequire(import.meta.url)('http-proxy') as HttpProxyModule;

const proxy = createProxyServer({ target: `http://127.0.0.1:${originPort}`, agent: new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 256 }) });
proxy.on('proxyReq', (outgoing, request) => {
  const host = request.headers.host ?? '';
  // The package passes a client's "Connection: close" on, which would close the backend's connection too.
  outgoing.setHeader('Connection', 'keep-alive');
  outgoing.setHeader('X-Forwarded-For', request.socket.remoteAddress ?? '');
  outgoing.setHeader('X-Forwarded-Proto', 'http');
  outgoing.setHeader('X-Forwarded-Host', host);
  outgoing.setHeader('X-Forwarded-Port', String(port));
  outgoing.setHeader('X-Request-ID', randomUUID());
});
proxy.on('error', (_error, _request, response) => {
  response.writeHead?.(502);
  response.end();
});

const listening = createServer((request, response) => proxy.web(request, response));
listening.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 });
