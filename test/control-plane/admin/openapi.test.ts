import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { AdminRoute } from '../../../src/control-plane/admin/admin-route.ts';
import { problemAnswer } from '../../../src/control-plane/admin/answers.ts';
import { adminRoutes } from '../../../src/control-plane/admin/routes/registry.ts';
import { AdminWorld, startAdmin, type StartedAdmin } from '../../support/admin-world.ts';
import { plainListener, plainPool } from '../../support/plain-snapshot.ts';

let world: AdminWorld;
let started: StartedAdmin;
beforeEach(async () => {
  world = new AdminWorld({ snapshot: { listeners: [plainListener('web', 0, null, ['all'])], pools: [plainPool('web', ['10.0.0.1:80', '[::1]:8080']), plainPool('empty', [])] } });
  world.table.backend(0).verdict = 'down';
  started = await startAdmin(world);
});
afterEach(() => started.close());

interface Operation {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: unknown;
  readonly responses: Readonly<Record<string, { readonly content: Readonly<Record<string, { readonly schema?: unknown }>> }>>;
}
interface Description {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

async function description(): Promise<Description> {
  return (await (await fetch(`${started.url}/api/v1/openapi.json`)).json()) as Description;
}

/** Calls a route as its description tells, and gives what was answered. */
async function callAsDescribed({ method, path }: AdminRoute): Promise<Response> {
  const target = path.replace('{pool}', 'web').replace('{address}', encodeURIComponent('[::1]:8080'));
  const body = path.endsWith('/state') ? '{"state":"drain","weight":5,"reason":"test"}' : '{}';
  return fetch(started.url + target, method === 'POST' ? { method, body, headers: { 'content-type': 'application/json' } } : {});
}

/** Every object closed: an answer may hold no key that is not described. */
function closed(schema: z.ZodType): z.ZodType {
  const shut = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(shut);
    if (typeof value !== 'object' || value === null) return value;
    const copy = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shut(inner)]));
    return copy['type'] === 'object' && copy['properties'] !== undefined ? { ...copy, additionalProperties: false } : copy;
  };
  return z.fromJSONSchema(shut(z.toJSONSchema(schema)) as Parameters<typeof z.fromJSONSchema>[0]);
}

describe('openapi.json', () => {
  it('lists exactly the paths there are', async () => {
    const { paths, openapi } = await description();
    const listed = Object.entries(paths).flatMap(([path, operations]) => Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`));
    expect(openapi).toBe('3.1.0');
    expect(listed.sort()).toEqual(adminRoutes.map(({ method, path }) => `${method} ${path}`).sort());
    const ids = Object.values(paths).flatMap((operations) => Object.values(operations).map(({ operationId }) => operationId));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it.each(adminRoutes.filter(({ path }) => path !== '/api/v1/events'))('describes what $method $path answers', async (route) => {
    const operation = (await description()).paths[route.path]![route.method.toLowerCase()]!;
    const answer = await callAsDescribed(route);
    const text = await answer.text();
    const described = operation.responses[String(answer.status)];
    expect(described, `${answer.status} ${text}`).toBeDefined();
    const type = answer.headers.get('content-type')!;
    expect(Object.keys(described!.content)).toEqual([type]);
    if (answer.status !== 200) problemAnswer.parse(JSON.parse(text));
    else if (route.answer.schema !== undefined) closed(route.answer.schema).parse(JSON.parse(text));
  });

  it.each(['/healthz', '/readyz', '/api/v1/status', '/api/v1/backends', '/api/v1/tier', '/api/v1/config', '/metrics'])('holds for %s before the first config', async (path) => {
    world.config = null;
    world.reasons = ['no config yet'];
    const operation = (await description()).paths[path]!['get']!;
    const answer = await fetch(started.url + path);
    expect(Object.keys(operation.responses)).toContain(String(answer.status));
    const route = adminRoutes.find((known) => known.path === path && known.method === 'GET')!;
    const text = await answer.text();
    if (answer.status !== 200) problemAnswer.parse(JSON.parse(text));
    else if (route.answer.schema !== undefined) closed(route.answer.schema).parse(JSON.parse(text));
  });
});

describe('docs/admin-api.md', () => {
  it('has exactly the paths there are', () => {
    const doc = readFileSync(new URL('../../../docs/admin-api.md', import.meta.url), 'utf8');
    const rows = [...doc.matchAll(/^\| `((?:GET|POST) \/\S*)` \|/gm)].map(([, path]) => path!);
    expect(rows.sort()).toEqual(adminRoutes.map(({ method, path }) => `${method} ${path}`).sort());
  });
});
