/** Loads a whole config text in tests, and wraps a part under test in a config that is right otherwise. */
import { loadConfigText, type LoadOptions } from '../../src/config/load-config.ts';
import type { ListenerSpec, PoolSpec, RouteSpec, Snapshot } from '../../src/shared/snapshot.ts';

const OPTIONS: LoadOptions = { environment: {} };

/** The snapshot; throws the problems if there is none. */
export function snapshotOf(text: string, options: LoadOptions = {}): Snapshot {
  const loaded = loadConfigText(text, 'weir.yaml', { ...OPTIONS, ...options });
  if (loaded.snapshot === null) throw new Error(loaded.problems.map(({ message }) => message).join('\n'));
  return loaded.snapshot;
}

/** Every problem as `severity: message`, in order. */
export function problemsOf(text: string, options: LoadOptions = {}): string[] {
  const loaded = loadConfigText(text, 'weir.yaml', { ...OPTIONS, ...options });
  return loaded.problems.map(({ severity, message }) => `${severity}: ${message}`);
}

/** A config whose listener `web` also has `keys` (flow style, such as `via: true`). */
export function withListener(keys: string): string {
  const bind = /\bbind:/.test(keys) ? '' : 'bind: ":8080", ';
  return `listeners: { web: { ${bind}pool: web, ${keys} } }\npools: { web: { backends: [10.0.0.1:80] } }\n`;
}

/** A config with one route of these keys. */
export function withRoute(keys: string): string {
  return `listeners:\n  web:\n    bind: ":8080"\n    routes:\n      - { ${keys} }\npools: { web: { backends: [10.0.0.1:80] } }\n`;
}

/** A config whose pool `web` has these keys. */
export function withPool(keys: string): string {
  const backends = /\bbackends:/.test(keys) ? '' : 'backends: [10.0.0.1:80], ';
  return `listeners: { web: { bind: ":8080", pool: web } }\npools: { web: { ${backends}${keys} } }\n`;
}

/** A config with these keys at its top. */
export function withTop(keys: string): string {
  return `${withListener('')}${keys}\n`;
}

export function listenerOf(keys: string): ListenerSpec {
  return snapshotOf(withListener(keys)).listeners[0]!;
}

export function routeOf(keys: string): RouteSpec {
  return snapshotOf(withRoute(keys)).listeners[0]!.routes[0]!;
}

export function poolOf(keys: string): PoolSpec {
  return snapshotOf(withPool(keys)).pools[0]!;
}
