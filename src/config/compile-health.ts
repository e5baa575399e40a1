/** A health check of a checked config → its spec, with what of it must not be told. */
import { isSecretOption } from '../control-plane/health/secret-option.ts';
import { probeDefinition } from '../control-plane/health/registry.ts';
import type { HealthSpec } from '../shared/snapshot.ts';
import { scheduleKeys, type Health } from './schema/health.ts';
import type { YamlNode } from './yaml-tree.ts';

/** `written` is what the pool's `health` was written as, one or a list. */
export function compileHealths(healths: readonly Health[], written: YamlNode): HealthSpec[] {
  return healths.map((health, place) => compileHealth(health, written.kind === 'list' ? written.items[place]! : written));
}

function compileHealth(health: Health, written: YamlNode): HealthSpec {
  const options = Object.fromEntries(Object.entries(health).filter(([key, value]) => !scheduleKeys.has(key) && value !== undefined));
  return {
    type: health.type,
    options,
    hidden: Object.keys(options).filter((key) => isSecretOf(health.type, key) || isFromElsewhere(written.kind === 'map' ? written.entries.get(key)?.value : undefined)),
    role: health.role ?? null,
    port: health.port ?? null,
    intervalMs: health.interval,
    timeoutMs: health.timeout,
    rise: health.rise,
    fall: health.fall,
    fastIntervalMs: health.fastInterval,
  };
}

function isSecretOf(type: string, key: string): boolean {
  const option = probeDefinition(type)?.options.shape[key] as Parameters<typeof isSecretOption>[0] | undefined;
  return option !== undefined && isSecretOption(option);
}

/** Any part of it came from a file or the environment: a header with a token, say. */
function isFromElsewhere(node: YamlNode | undefined): boolean {
  if (node === undefined) return false;
  if (node.kind === 'scalar') return node.secret || node.substituted;
  return node.kind === 'list' ? node.items.some(isFromElsewhere) : [...node.entries.values()].some(({ value }) => isFromElsewhere(value));
}
