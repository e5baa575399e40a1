/**
 * The contract of a probe type: one attempt to find out whether a backend
 * serves. One file and one line in registry.ts make a type.
 *
 * The caller (monitor.ts) owns everything else: interval, jitter, time-out,
 * rise and fall, name resolution, what a result means. `probe` opens a fresh
 * connection, leaves none behind, keeps nothing between attempts, never
 * retries, and settles soon after `signal` aborts, whatever the backend does.
 * It does not reject: what goes wrong is a result.
 */
import type { z } from 'zod';
import type { Socket } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import type { DialUdp } from '../../net/dial-udp.ts';
import type { Dial } from '../../net/dial.ts';
import type { Programs } from './programs.ts';

export interface ProbeTarget {
  /** Literal IP to connect to. */
  readonly host: string;
  readonly port: number;
  /** The backend's address as written in the config. */
  readonly address: string;
}

export interface ProbeContext {
  /** Aborts when the attempt has taken too long or is no longer wanted. */
  readonly signal: AbortSignal;
  readonly dial: Dial;
  readonly dialUdp: DialUdp;
  /** Absent: no program may be run. */
  readonly programs?: Programs | undefined;
  readonly clock: Clock;
  /** The pool speaks HTTP/2 to its backends. */
  readonly overHttp2?: boolean | undefined;
  /** Goes on in TLS over a connection that began in the clear; 'secureConnect' or 'error' follows. Absent: it stays in the clear. */
  readonly startTls?: ((socket: Socket) => Socket) | undefined;
}

export type ProbeResult =
  | {
      readonly ok: true;
      readonly latencyMs: number;
    }
  | {
      readonly ok: false;
      /** A few words: `connection refused`. */
      readonly reason: string;
      /** No connection came about. */
      readonly unreached?: true;
      /** This machine failed, not the backend (no descriptor left): the result is void. */
      readonly ours?: true;
    };

export interface ProbeDefinition<Options = Record<string, unknown>> {
  /** As written in the config's `type`; the file is named after it. */
  readonly name: string;
  /** One sentence for the reference page. */
  readonly summary: string;
  /** Keys beside those that every type has (port, interval, timeout, rise, fall, fastInterval; role), with their defaults. Its output is plain JSON. A secret is a `secretOption()`. */
  readonly options: z.ZodObject & z.ZodType<Options>;
  /** Takes `role: primary` in the config; `probe` gets it as options.role, and what is no primary fails: role is part of passing. */
  readonly hasRoles?: true;
  /** What is offered by ALPN in a pool with `tls`, which may speak HTTP/2 to its backends; absent: nothing. */
  alpn?(options: Options, overHttp2: boolean): readonly string[];
  probe(target: ProbeTarget, options: Options, context: ProbeContext): Promise<ProbeResult>;
}
