/** Every probe type, one sorted line each. */
import { cassandraProbe } from './cassandra-probe.ts';
import { dnsProbe } from './dns-probe.ts';
import { execProbe } from './exec-probe.ts';
import { grpcProbe } from './grpc-probe.ts';
import { httpProbe } from './http-probe.ts';
import { memcachedProbe } from './memcached-probe.ts';
import { mongodbProbe } from './mongodb-probe.ts';
import { mysqlProbe } from './mysql-probe.ts';
import { postgresProbe } from './postgres-probe.ts';
import type { ProbeDefinition } from './probe.ts';
import { redisProbe } from './redis-probe.ts';
import { smtpProbe } from './smtp-probe.ts';
import { tcpProbe } from './tcp-probe.ts';
import { udpProbe } from './udp-probe.ts';

export const probeDefinitions: readonly ProbeDefinition[] = [
  cassandraProbe,
  dnsProbe,
  execProbe,
  grpcProbe,
  httpProbe,
  memcachedProbe,
  mongodbProbe,
  mysqlProbe,
  postgresProbe,
  redisProbe,
  smtpProbe,
  tcpProbe,
  udpProbe,
];

export function probeDefinition(name: string): ProbeDefinition | undefined {
  return probeDefinitions.find((definition) => definition.name === name);
}
