/** openapi.json (OpenAPI 3.1), made from the routes themselves. */
import { z } from 'zod';
import type { AdminRoute } from './admin-route.ts';
import { problemAnswer } from './answers.ts';
import { PROBLEM_TYPE, type ProblemStatus } from './problem.ts';

/** What the guards and the parsing may answer to any call of a kind. */
const problemsOfAny: readonly ProblemStatus[] = [400, 405, 421, 500];
const problemsOfTokens: readonly ProblemStatus[] = [401, 403];
const problemsOfWrites: readonly ProblemStatus[] = [408, 413, 415];

export function openApi(routes: readonly AdminRoute[], version: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route);
  return {
    openapi: '3.1.0',
    info: { title: 'Weir admin interface', version },
    paths,
    components: {
      schemas: { Problem: schemaOf(problemAnswer, 'output') },
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function operation(route: AdminRoute): Record<string, unknown> {
  return {
    operationId: operationId(route),
    summary: route.summary,
    security: route.access === 'none' ? [] : [{ bearer: [] }],
    parameters: [...pathParameters(route), ...queryParameters(route)],
    ...(route.body !== undefined && { requestBody: requestBody(route.body) }),
    responses: responses(route),
  };
}

function operationId(route: AdminRoute): string {
  const words = route.path.replace(/^\/(api\/v1\/)?/, '').split(/[^a-zA-Z]+/).filter((word) => word !== '');
  return [route.method.toLowerCase(), ...words].map((word, i) => (i === 0 ? word : word[0]!.toUpperCase() + word.slice(1))).join('');
}

function pathParameters({ path }: AdminRoute): unknown[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
}

function queryParameters({ query }: AdminRoute): unknown[] {
  return Object.entries(query?.shape ?? {}).map(([name, schema]) => ({ name, in: 'query', required: false, schema: schemaOf(schema as z.ZodType, 'input') }));
}

function requestBody(body: NonNullable<AdminRoute['body']>): unknown {
  const schema = schemaOf(body.schema, 'input');
  if (body.kind === 'json') return { required: false, content: { 'application/json': { schema } } };
  return { required: true, content: { 'application/yaml': { schema }, 'application/json': {} } };
}

function responses(route: AdminRoute): Record<string, unknown> {
  const { contentType, schema } = route.answer;
  const all: Record<string, unknown> = {
    '200': { description: 'Done.', content: { [contentType]: schema === undefined ? {} : { schema: schemaOf(schema, 'output') } } },
  };
  const statuses = new Set<ProblemStatus>([
    ...problemsOfAny,
    ...(route.access === 'none' ? [] : problemsOfTokens),
    ...(route.access === 'write' ? problemsOfWrites : []),
    ...(route.path.includes('{') || route.query !== undefined ? ([404] as const) : []),
    ...(route.problems ?? []),
  ]);
  for (const status of [...statuses].sort((a, b) => a - b)) {
    all[status] = { description: 'A problem (RFC 9457).', content: { [PROBLEM_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } } };
  }
  return all;
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): unknown {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, target: 'draft-2020-12' });
  return rest;
}
