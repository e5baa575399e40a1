/** Writes a Reply. A client that takes nothing is cut by the listener's inactivity timeout; what is generated waits for it. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Reply } from './admin-route.ts';
import { PROBLEM_TYPE, type CallProblem } from './problem.ts';

/** Nothing here may be kept by a cache, or guessed to be something else by a browser. */
const ALWAYS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

export async function sendReply(response: ServerResponse, reply: Reply, headOnly: boolean): Promise<void> {
  if (reply.kind === 'takeover') {
    response.writeHead(200, { ...ALWAYS, 'content-type': reply.contentType });
    if (headOnly) response.end();
    else reply.run(response);
    return;
  }
  if (reply.kind === 'text') {
    const bytes = Buffer.from(reply.text, 'utf8');
    response.writeHead(reply.status, { ...ALWAYS, 'content-type': reply.contentType, 'content-length': bytes.length, ...reply.headers });
    response.end(headOnly ? undefined : bytes);
    return;
  }
  response.writeHead(200, { ...ALWAYS, 'content-type': reply.contentType, ...reply.headers });
  if (!headOnly) await sendChunks(response, reply.chunks);
  response.end();
}

async function sendChunks(response: ServerResponse, chunks: AsyncIterable<string>): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  try {
    for await (const chunk of chunks) {
      if (response.destroyed) return;
      if (!response.write(chunk)) await once(response, 'drain', { signal: gone.signal });
    }
  } catch (error) {
    // The reader left: there is nobody to tell.
    if (!gone.signal.aborted) throw error;
  }
}

export function sendProblem(response: ServerResponse, problem: CallProblem, headOnly: boolean): void {
  const bytes = Buffer.from(`${problem.body()}\n`, 'utf8');
  response.writeHead(problem.status, { ...ALWAYS, 'content-type': PROBLEM_TYPE, 'content-length': bytes.length, ...problem.extras.headers });
  response.end(headOnly ? undefined : bytes);
}
