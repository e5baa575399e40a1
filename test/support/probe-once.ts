/** One attempt of a probe type, with options as an operator writes them. */
import { systemClock } from '../../src/base/clock.ts';
import type { ProbeContext, ProbeDefinition, ProbeResult } from '../../src/control-plane/health/probe.ts';
import { dialUdp } from '../../src/net/dial-udp.ts';
import { dial } from '../../src/net/dial.ts';

export function probeOnce<Options>(definition: ProbeDefinition<Options>, port: number, written: Readonly<Record<string, unknown>> = {}, context: Partial<ProbeContext> = {}): Promise<ProbeResult> {
  const { role, ...own } = written;
  const options = { ...definition.options.parse(own), ...(role === undefined ? {} : { role }) } as Options;
  return definition.probe({ host: '127.0.0.1', port, address: `127.0.0.1:${port}` }, options, { signal: new AbortController().signal, dial, dialUdp, clock: systemClock, ...context });
}

/** `passed`, or the reason. */
export async function outcomeOf<Options>(definition: ProbeDefinition<Options>, port: number, written: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const result = await probeOnce(definition, port, written);
  return result.ok ? 'passed' : result.reason;
}
