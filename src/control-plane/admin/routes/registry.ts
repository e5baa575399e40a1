/** Every endpoint there is: one line each, sorted by name. */
import type { AdminRoute } from '../admin-route.ts';
import { backendState } from './backend-state.ts';
import { backends } from './backends.ts';
import { adoptConfig, getConfig, getConfigVersions, postConfig, rollbackConfig } from './config.ts';
import { events } from './events.ts';
import { healthz, readyz } from './health.ts';
import { metrics } from './metrics.ts';
import { openapi } from './openapi.ts';
import { drain, reload, undrain } from './proxy-commands.ts';
import { status } from './status.ts';
import { tier } from './tier.ts';

export const adminRoutes: readonly AdminRoute[] = [
  adoptConfig,
  backendState,
  backends,
  drain,
  events,
  getConfig,
  getConfigVersions,
  healthz,
  metrics,
  openapi,
  postConfig,
  readyz,
  reload,
  rollbackConfig,
  status,
  tier,
  undrain,
];
