/**
 * A backend as a process of its own, so that it can be killed: it answers each
 * request with its name, what was asked and a checksum of the body, and takes
 * a moment over a POST, as real ones do.
 *
 * Run as `echo-backend.ts NAME PORT`; tells its port over IPC, and ends with
 * its parent.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32 } from 'node:zlib';

const WORK_MS = 5;
const [name = '', port = '0'] = process.argv.slice(2);

const acceptor = createServer((request, response) => {
  let length = 0;
  let checksum = 0;
  request.on('data', (bytes: Buffer) => {
    length += bytes.length;
    checksum = crc32(bytes, checksum);
  });
  request.on('end', () => {
    const answer = `${name} ${request.method} ${request.url} ${length} ${checksum}\n`;
    if (request.method === 'POST') setTimeout(() => send(response, answer), WORK_MS);
    else send(response, answer);
  });
  request.on('error', () => {});
});

/** One write: whoever kills this process never cuts an answer in two. */
function send(response: ServerResponse, answer: string): void {
  response.writeHead(200, { 'content-type': 'text/plain', 'content-length': answer.length });
  response.end(answer);
}

acceptor.listen(Number(port), '127.0.0.1', () => process.send!({ port: (acceptor.address() as AddressInfo).port }));
process.once('disconnect', () => process.exit(0));
