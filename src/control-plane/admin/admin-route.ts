/**
 * The contract of an endpoint: its description, from which dispatch checks
 * requests and openapi.json is made, and what it does. `handle` is called
 * after the guards, with query and body parsed; it throws CallProblem for what
 * the caller got wrong. It must not hold the loop: long answers are generated
 * in chunks with a turn of the loop between them.
 */
import type { ServerResponse } from 'node:http';
import type { z } from 'zod';
import type { Metrics } from '../../observe/metrics.ts';
import type { AdminContext } from './admin-context.ts';
import type { EventStreams } from './event-streams.ts';
import type { TierEventStreams } from './tier-event-streams.ts';
import type { ProblemStatus } from './problem.ts';

export interface AdminCall {
  readonly context: AdminContext;
  readonly metrics: Metrics;
  readonly streams: EventStreams;
  readonly tierStreams: TierEventStreams;
  /** Decoded segments of the path, by name. */
  readonly params: Readonly<Record<string, string>>;
  /** Checked by the route's `query`; its output. */
  readonly query: unknown;
  /** Checked by the route's `body`; its output. */
  readonly body: unknown;
  readonly lastEventId: string | null;
  readonly ifMatch: string | null;
}

export type Reply =
  | { readonly kind: 'text'; readonly status: number; readonly contentType: string; readonly text: string; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: 'chunks'; readonly contentType: string; readonly chunks: AsyncIterable<string>; readonly headers?: Readonly<Record<string, string>> }
  /** The route writes the answer itself, for as long as it takes. */
  | { readonly kind: 'takeover'; readonly contentType: string; readonly run: (response: ServerResponse) => void };

export interface AdminRoute {
  readonly method: 'GET' | 'POST';
  /** OpenAPI's form: `/api/v1/pools/{pool}`. */
  readonly path: string;
  /** `none`: no token even if one is configured. */
  readonly access: 'none' | 'read' | 'write';
  readonly summary: string;
  readonly query?: z.ZodObject;
  readonly body?: { readonly kind: 'json' | 'config'; readonly schema: z.ZodType; readonly bytesMax: number };
  /** Of status 200. `schema` only for JSON. */
  readonly answer: { readonly contentType: string; readonly schema?: z.ZodType };
  /** Besides those that any call may get (400 401 403 404 405 413 415 421 500). */
  readonly problems?: readonly ProblemStatus[];
  handle(call: AdminCall): Reply | Promise<Reply>;
}

export const JSON_TYPE = 'application/json';

export function jsonReply(value: unknown, status = 200): Reply {
  return { kind: 'text', status, contentType: JSON_TYPE, text: `${JSON.stringify(value)}\n` };
}
