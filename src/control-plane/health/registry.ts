/** Every probe type, one sorted line each. */
import { grpcProbe } from './grpc-probe.ts';
import { httpProbe } from './http-probe.ts';
import { postgresProbe } from './postgres-probe.ts';
import type { ProbeDefinition } from './probe.ts';
import { tcpProbe } from './tcp-probe.ts';

export const probeDefinitions: readonly ProbeDefinition[] = [
  grpcProbe,
  httpProbe,
  postgresProbe,
  tcpProbe,
];

export function probeDefinition(name: string): ProbeDefinition | undefined {
  return probeDefinitions.find((definition) => definition.name === name);
}
