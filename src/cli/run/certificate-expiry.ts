/**
 * Warns of certificates that end soon, or have ended, once a day: reading the
 * config says so too, but a proxy may run for longer than they last. Owned by
 * the proxy's process, which cancels it.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import { EXPIRY_WARNING_MS } from '../../config/tls-checks.ts';
import type { Log } from '../../observe/log.ts';
import type { ListenerSpec } from '../../shared/snapshot.ts';

const DAY_MS = 86_400_000;

export function warnOfExpiry(clock: Clock, log: Pick<Log, 'warn'>, listeners: () => readonly Pick<ListenerSpec, 'name' | 'tls'>[]): Timer {
  return clock.every(DAY_MS, () => {
    const nowMs = clock.wallMs();
    for (const { name, tls } of listeners()) {
      for (const { label, expiresAtMs } of tls?.certificates ?? []) {
        if (expiresAtMs - nowMs >= EXPIRY_WARNING_MS) continue;
        log.warn(expiresAtMs > nowMs ? 'a certificate expires soon' : 'a certificate has expired', { listener: name, certificate: label, expires: new Date(expiresAtMs).toISOString() });
      }
    }
  });
}
