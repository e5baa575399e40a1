/**
 * Where the demo listens. Fixed, so that what the documents say can be typed;
 * who has something else there moves all of it with WEIR_DEMO_PORT_BASE.
 */
import { demoBackends, type DemoBackend } from './demo-backend.ts';

export interface DemoPorts {
  /** Of the first proxy; the others follow. */
  readonly web: number;
  readonly admin: number;
  readonly redis: number;
  readonly backends: readonly DemoBackend[];
  /** What a client of the admin interface is told beside its command; '' where its default fits. */
  readonly adminFlag: string;
}

const ADMIN_OFFSET = 10;
const REDIS_OFFSET = 20;
const PORTS = 30;

/** Throws a sentence for the operator. */
export function demoPorts(environment: Readonly<Record<string, string | undefined>>): DemoPorts {
  const text = environment['WEIR_DEMO_PORT_BASE'] ?? '';
  if (text === '') return { web: 8080, admin: 9900, redis: 9100, backends: demoBackends, adminFlag: '' };
  const base = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  if (base < 1 || base + PORTS > 65_536) throw new Error(`WEIR_DEMO_PORT_BASE=${text}: a port from 1 to ${65_536 - PORTS} is expected, since the ${PORTS} from there on are taken`);
  return {
    web: base,
    admin: base + ADMIN_OFFSET,
    redis: base + REDIS_OFFSET,
    backends: demoBackends.map(({ name }, i) => ({ name, port: base + REDIS_OFFSET + 1 + i })),
    adminFlag: ` --admin :${base + ADMIN_OFFSET}`,
  };
}

/** What config/demo-tier.yaml takes from its environment. */
export function backendVariables({ backends }: DemoPorts): Record<string, string> {
  return Object.fromEntries(backends.map(({ name, port }) => [`${name.toUpperCase()}_PORT`, String(port)]));
}
