/**
 * What a hashing algorithm hashes of a request. A request that lacks the key
 * (or has it empty) is placed by its client's address, so that such requests
 * spread instead of all meeting at one backend.
 */
import { hash32 } from '../../base/hash.ts';
import type { KeySpec } from '../../shared/snapshot.ts';
import { readCookies, readQuery } from '../route/field-text.ts';
import type { RouteQuery } from '../route/route-query.ts';

/** → uint32. The first value counts where there are several. */
export function hashKey(spec: KeySpec, request: RouteQuery): number {
  if (spec.kind === 'client-ip') return hash32(request.clientAddress());
  return hash32(keyText(spec, request) || request.clientAddress());
}

/** '' if the request lacks the key. The first value counts where there are several. */
export function keyText({ kind, name }: KeySpec, request: RouteQuery): string {
  switch (kind) {
    case 'client-ip':
      return request.clientAddress();
    case 'header':
      return request.header(name)[0] ?? '';
    case 'cookie':
      return cookieValue(request.header('cookie'), name);
    case 'query':
      return queryValue(request.query(), name);
    case 'path':
      return request.path();
  }
}

function cookieValue(fields: readonly string[], name: string): string {
  let first: string | null = null;
  for (const field of fields) {
    readCookies(field, (cookie, value) => {
      if (cookie === name) first ??= value;
    });
  }
  return first ?? '';
}

function queryValue(query: string, name: string): string {
  let first: string | null = null;
  readQuery(query, (parameter) => first === null && parameter === name, (_, value) => (first ??= value));
  return first ?? '';
}
