/**
 * Before anything is counted every proxy must answer right, over what its row
 * speaks: status, bytes and trailers, the fields that the backend is to get,
 * and TLS as it was agreed on for all of them.
 */
import { once } from 'node:events';
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { request as request1, type IncomingMessage } from 'node:http';
import { connect as connectTls, type EphemeralKeyInfo, type TLSSocket } from 'node:tls';
import { connect as connectTcp, type Socket } from 'node:net';
import { checkFields } from '../load/check-answers.ts';
import { ANSWER_MESSAGE } from './grpc-origin.ts';
import { CIPHER, GROUP } from './fronts.ts';
import type { Row } from './rows.ts';

export const CALL_MESSAGE = Buffer.from('\0\0\0\0\x0ehello, backend', 'latin1');
const HOST = 'bench.example';

interface Answer {
  readonly status: number;
  readonly body: Buffer;
  readonly trailers: Readonly<Record<string, unknown>>;
}

interface Question {
  readonly port: number;
  readonly path: string;
  readonly http: 1 | 2;
  readonly isSecure: boolean;
  readonly isCall: boolean;
}

/** Throws with what is wrong; resolves with the bytes of an answer's body. */
export async function checkTarget(name: string, port: number, { front, load }: Row): Promise<number> {
  const wrong = (what: string): never => {
    throw new Error(`${name} does it wrongly: ${what}`);
  };
  const isCall = load.tool === 'h2load' && load.isCall;
  const http = load.tool === 'handshakes' ? 1 : load.http;
  const path = load.tool === 'h2load' ? load.path : '/small';
  const question: Question = { port, path, http, isSecure: front === 'tls', isCall };
  const { status, body, trailers } = await ask(question);
  if (status !== 200) wrong(`status ${status}`);
  if (isCall && (!body.equals(ANSWER_MESSAGE) || trailers['grpc-status'] !== '0')) wrong(`message ${body.toString('latin1')}, trailers ${JSON.stringify(trailers)}`);
  if (front === 'clear' || front === 'tls') checkFields(name, (await ask({ ...question, path: '/head' })).body.toString('latin1'), { host: `${HOST}:${port}`, port, scheme: front === 'tls' ? 'https' : 'http' });
  return body.length;
}

async function ask(question: Question): Promise<Answer> {
  const socket = await open(question);
  try {
    return await (question.http === 2 ? overHttp2(socket, question) : overHttp1(socket, question));
  } finally {
    socket.destroy();
  }
}

async function open({ port, http, isSecure }: Question): Promise<Socket> {
  if (!isSecure) {
    const socket = connectTcp(port, '127.0.0.1');
    await once(socket, 'connect');
    return socket;
  }
  const protocol = http === 2 ? 'h2' : 'http/1.1';
  const socket = connectTls({ port, host: '127.0.0.1', servername: HOST, ALPNProtocols: [protocol], rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  checkTerms(socket, protocol);
  return socket;
}

/** What all have to agree on, or it would be other work. */
export function checkTerms(socket: TLSSocket, protocol: string): void {
  const { name: group } = socket.getEphemeralKeyInfo() as EphemeralKeyInfo;
  const terms = [socket.getProtocol(), socket.getCipher().name, group, socket.alpnProtocol].join(' ');
  const expected = ['TLSv1.3', CIPHER, GROUP, protocol].join(' ');
  if (terms !== expected) throw new Error(`agreed on ${terms}, not on ${expected}`);
}

async function overHttp1(socket: Socket, { port, path }: Question): Promise<Answer> {
  const outgoing = request1({ createConnection: () => socket, path, headers: { host: `${HOST}:${port}` } });
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: await whole(response), trailers: response.trailers };
}

async function overHttp2(socket: Socket, { port, path, isSecure, isCall }: Question): Promise<Answer> {
  const session = connectHttp2(`${isSecure ? 'https' : 'http'}://${HOST}:${port}`, { createConnection: () => socket });
  const stream = session.request({ ':path': path, ...(isCall ? { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' } : {}) }, { endStream: !isCall });
  if (isCall) stream.end(CALL_MESSAGE);
  let trailers: Readonly<Record<string, unknown>> = {};
  stream.on('trailers', (fields: IncomingHttpHeaders) => (trailers = fields));
  const [fields] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status': number }];
  const body = await whole(stream);
  session.destroy();
  return { status: fields[':status'], body, trailers };
}

async function whole(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
