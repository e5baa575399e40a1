/** A request's body as text, bounded. Time is bounded by the listener (`requestTimeout`). */
import type { IncomingMessage } from 'node:http';
import { CallProblem } from './problem.ts';

/**
 * Throws 413 as soon as it is known to be too large, 400 if it is not UTF-8 or
 * breaks off. What was not read is read and thrown away behind the answer, so
 * that the answer is not lost to a reset. `whole`: a byte order mark stays, since
 * the text stands for its bytes.
 */
export async function readBody(request: IncomingMessage, bytesMax: number, whole = false): Promise<string> {
  const tooLarge = (): CallProblem => new CallProblem(413, `The body is larger than ${bytesMax} bytes.`);
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    // destroyOnReturn would take the connection away before the 413 is sent.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      bytes += (chunk as Buffer).length;
      if (bytes > bytesMax) throw tooLarge();
      chunks.push(chunk as Buffer);
    }
  } catch (error) {
    if (error instanceof CallProblem) throw error;
    throw new CallProblem(400, 'The body broke off.');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: whole }).decode(Buffer.concat(chunks));
  } catch {
    throw new CallProblem(400, 'The body is not UTF-8.');
  }
}
