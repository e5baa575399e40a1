/**
 * One call from request to answer: 1 host, 2 path and method, 3 token,
 * 4 guards of writes, 5 query and body, 6 the route, 7 the answer. Whatever
 * goes wrong is answered as problem+json; nothing thrown leaves here.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';
import type { Metrics } from '../../observe/metrics.ts';
import type { Log } from '../../observe/log.ts';
import type { AdminContext } from './admin-context.ts';
import type { AdminCall, AdminRoute } from './admin-route.ts';
import type { EventStreams } from './event-streams.ts';
import type { TierEventStreams } from './tier-event-streams.ts';
import { checkContentType, checkHost, checkOrigin, checkToken, type Tokens } from './guards.ts';
import { CallProblem } from './problem.ts';
import { readBody } from './read-body.ts';
import { adminRoutes } from './routes/registry.ts';
import { sendProblem, sendReply } from './send-reply.ts';

export interface Desk {
  readonly context: AdminContext;
  readonly metrics: Metrics;
  readonly streams: EventStreams;
  readonly tierStreams: TierEventStreams;
  readonly log: Log;
  /** What this machine is called, lower case. */
  readonly machineNames: ReadonlySet<string>;
  tokens(): Tokens;
}

interface Found {
  readonly route: AdminRoute;
  readonly params: Readonly<Record<string, string>>;
}

export async function dispatch(desk: Desk, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const headOnly = request.method === 'HEAD';
  try {
    checkHost(hostOf(request), desk.machineNames); // 1
    const target = request.url ?? '/';
    const queryAt = target.indexOf('?');
    const { route, params } = find(request.method ?? 'GET', queryAt === -1 ? target : target.slice(0, queryAt)); // 2
    checkToken(request.headers.authorization, route.access, desk.tokens()); // 3
    if (route.access === 'write') {
      checkOrigin(request.headers); // 4
      checkContentType(request.headers, route.body?.kind ?? 'json');
    }
    const search = new URLSearchParams(queryAt === -1 ? '' : target.slice(queryAt + 1));
    const query = parseQuery(route, search); // 5
    const body = route.body === undefined ? undefined : await parseBody(route.body, request);
    const lastEventId = headerText(request.headers['last-event-id']);
    const ifMatch = headerText(request.headers['if-match']);
    const call: AdminCall = { ...desk, params, query, body, lastEventId, ifMatch };
    const reply = await route.handle(call); // 6
    await sendReply(response, reply, headOnly); // 7
  } catch (error) {
    answerError(desk, response, error, headOnly);
  }
}

function answerError(desk: Desk, response: ServerResponse, error: unknown, headOnly: boolean): void {
  if (!(error instanceof CallProblem)) desk.log.error('the admin interface failed to answer', { err: error });
  if (response.headersSent) {
    // Half an answer must not look whole.
    response.destroy();
    return;
  }
  const problem = error instanceof CallProblem ? error : new CallProblem(500, 'The proxy failed to answer; its log tells more.');
  sendProblem(response, problem, headOnly);
}

interface Pattern {
  readonly segments: readonly string[];
  readonly route: AdminRoute;
}
const patterns: readonly Pattern[] = adminRoutes.map((route) => ({ route, segments: route.path.split('/') }));

function find(method: string, path: string): Found {
  const segments = path.split('/');
  const allowed: string[] = [];
  for (const { route, segments: pattern } of patterns) {
    if (!matches(pattern, segments)) continue;
    if (route.method === method || (route.method === 'GET' && method === 'HEAD')) return { route, params: paramsOf(pattern, segments) };
    allowed.push(...(route.method === 'GET' ? ['GET', 'HEAD'] : [route.method]));
  }
  if (allowed.length > 0) throw new CallProblem(405, `This path takes ${allowed.join(', ')}.`, { headers: { allow: allowed.join(', ') } });
  throw new CallProblem(404, 'There is nothing at this path; /api/v1/openapi.json lists what there is.');
}

function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  return pattern.length === segments.length && pattern.every((part, i) => (part.startsWith('{') ? segments[i] !== '' : part === segments[i]));
}

function paramsOf(pattern: readonly string[], segments: readonly string[]): Record<string, string> {
  const params: Record<string, string> = {};
  for (const [i, part] of pattern.entries()) {
    if (!part.startsWith('{')) continue;
    try {
      params[part.slice(1, -1)] = decodeURIComponent(segments[i]!);
    } catch {
      throw new CallProblem(400, 'The path is not percent-encoded UTF-8.');
    }
  }
  return params;
}

function parseQuery(route: AdminRoute, search: URLSearchParams): unknown {
  const values: Record<string, string> = {};
  for (const [name, value] of search) {
    if (route.query === undefined || !Object.hasOwn(route.query.shape, name)) throw new CallProblem(400, `Unknown query parameter "${name}".`);
    if (Object.hasOwn(values, name)) throw new CallProblem(400, `The query parameter "${name}" is given twice.`);
    values[name] = value;
  }
  return route.query === undefined ? undefined : parsed(route.query, values, 'query parameter');
}

async function parseBody(spec: NonNullable<AdminRoute['body']>, request: IncomingMessage): Promise<unknown> {
  const text = await readBody(request, spec.bytesMax, spec.kind === 'config');
  if (spec.kind === 'config') return parsed(spec.schema, text, 'body');
  let value: unknown = {};
  try {
    if (text !== '') value = JSON.parse(text);
  } catch (error) {
    throw new CallProblem(400, `The body is not JSON: ${(error as Error).message}.`);
  }
  return parsed(spec.schema, value, 'body');
}

function parsed(schema: z.ZodType, value: unknown, what: string): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const where = issue.path.length === 0 ? what : `${what} "${issue.path.join('.')}"`;
  throw new CallProblem(400, `${where}: ${issue.message}.`);
}

/** Of two Host fields Node shows one; which of them was meant nobody knows (RFC 9112 §3.2). */
function hostOf(request: IncomingMessage): string | undefined {
  let fields = 0;
  for (let i = 0; i < request.rawHeaders.length; i += 2) if (request.rawHeaders[i]!.toLowerCase() === 'host') fields += 1;
  if (fields > 1) throw new CallProblem(400, 'The request has more than one Host field.');
  return request.headers.host;
}

function headerText(value: string | string[] | undefined): string | null {
  return typeof value === 'string' ? value : null;
}
