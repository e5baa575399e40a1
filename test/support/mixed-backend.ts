/**
 * A backend as a process of its own that serves HTTP/1.1 and gRPC, so that one
 * kill takes both. It answers with its name and what it was sent; a POST and a
 * call take a moment, as real ones do.
 *
 * Run as `mixed-backend.ts NAME`; tells its ports over IPC, and ends with its
 * parent.
 */
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { echoMethod } from './mixed-calls.ts';

const WORK_MS = 5;
const [name = ''] = process.argv.slice(2);

const web = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8').on('data', (text: string) => (body += text));
  request.on('end', () => {
    const answer = `${name} ${request.method} ${body}`;
    const send = (): void => void response.writeHead(200, { 'content-length': answer.length }).end(answer);
    if (request.method === 'POST') setTimeout(send, WORK_MS);
    else send();
  });
  request.on('error', () => {});
});

const calls = new Server();
calls.addService({ say: echoMethod }, {
  say({ request }: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) {
    setTimeout(() => reply(null, Buffer.from(`${name} CALL ${request.toString()}`)), WORK_MS);
  },
});

web.listen(0, '127.0.0.1', () => {
  calls.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, grpcPort) => {
    if (error !== null) throw error;
    process.send!({ webPort: (web.address() as AddressInfo).port, grpcPort });
  });
});
process.once('disconnect', () => process.exit(0));
