/**
 * What the config may ask of an `http` probe, whichever version of HTTP it
 * goes out in. Nothing here can carry more than one request: path, host,
 * method and headers are checked when the config is read.
 */
import { z } from 'zod';
import { statusRanges } from './status-ranges.ts';

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/;
/** These frame the request or belong to the connection; the probe sets them. */
const OWN_HEADERS = new Set(['connection', 'content-length', 'expect', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade']);

const headerName = z
  .string()
  .regex(TOKEN, { error: 'not a header name' })
  .refine((name) => name.toLowerCase() !== 'host', { error: 'the Host header has its own key: host' })
  .refine((name) => !OWN_HEADERS.has(name.toLowerCase()), { error: 'this header is set by the probe itself' });

export const httpOptions = z
  .strictObject({
    path: z
      .string()
      .regex(/^(\/[\x21-\x7e]*|\*)$/, { error: 'a path starts with / and holds no spaces or control characters' })
      .default('/')
      .describe('Path and query of the request.'),
    method: z
      .string()
      .regex(TOKEN, { error: 'not an HTTP method' })
      .refine((method) => method.toUpperCase() !== 'CONNECT', { error: 'CONNECT cannot probe' })
      .default('GET')
      .describe('Method of the request.'),
    host: z
      .string()
      .regex(/^[A-Za-z0-9._~:[\]%!$&'()*+,;=-]{1,255}$/, { error: 'not a host' })
      .nullable()
      .default(null)
      .describe("The Host header; absent: the backend's address as written."),
    headers: z
      .record(headerName, z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, { error: 'a header value is one line of latin1' }))
      .default({})
      .describe('Further headers of the request.'),
    expect: statusRanges.prefault('200-399').describe('Status codes that pass: a code, a range, or a list of them.'),
    body: z.string().default('').describe('Text that the first 64 KiB of the answer must hold; empty: any answer will do.'),
    // Without a default: it is in the name of no check that does not have it, whatever release a member has.
    protocol: z.enum(['http1']).optional().describe("http1: asks with HTTP/1.1 where the pool speaks HTTP/2, as a `port` of its own often wants it. Absent: the pool's."),
  })
  .refine(({ method, body }) => body === '' || method.toUpperCase() !== 'HEAD', { path: ['body'], error: 'an answer to HEAD has no body' });

export type HttpOptions = z.infer<typeof httpOptions>;
