/**
 * One origin of the soak, a process of its own so that it can be killed:
 * `/size/N` answers N bytes (`?chunked`: in chunks), `/drip/N` N chunks with
 * pauses, a POST the number of bytes it got; upgrades are echoed. Each answer
 * names the path it answers, so that a mix-up shows.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

const filling = Buffer.alloc(1 << 20, 'x');

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url ?? '';
  response.setHeader('X-Path', path);
  if (request.method === 'POST') {
    let bytes = 0;
    for await (const chunk of request) bytes += (chunk as Buffer).length;
    response.end(String(bytes));
    return;
  }
  const [, kind, count = '0'] = /^\/(\w+)\/(\d+)/.exec(path) ?? [];
  if (kind === 'drip') {
    for (let i = 0; i < Number(count) && !response.destroyed; i++) {
      response.write('drip');
      await pause(20);
    }
    response.end();
    return;
  }
  const body = filling.subarray(0, Number(count));
  if (path.endsWith('?chunked')) {
    response.write(body.subarray(0, body.length >> 1));
    response.end(body.subarray(body.length >> 1));
  } else response.setHeader('Content-Length', body.length).end(body);
}

const listening = createServer((request, response) => {
  // A client that went away is part of the plan.
  answer(request, response).catch(() => response.destroy());
});
listening.on('upgrade', (_request, socket) => {
  socket.on('error', () => socket.destroy());
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  socket.pipe(socket);
});
listening.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  const address = listening.address();
  process.send?.({ port: typeof address === 'object' ? address?.port : undefined });
});
process.once('disconnect', () => process.exit(0));
