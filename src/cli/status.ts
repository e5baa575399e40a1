/** `weir status`: how a running proxy stands, once; with --tier, how all of them do. Exit 0: it answered, 1: it did not, 2: wrong usage. */
import { systemClock } from '../base/clock.ts';
import { statusAnswer, tierAnswer } from '../control-plane/admin/answers.ts';
import { AdminClient, withAdmin, type AdminFlags, type CommandOutput } from './admin-client.ts';
import { statusText } from './admin/status-view.ts';
import { tierText } from './admin/tier-text.ts';

export interface StatusFlags extends AdminFlags {
  readonly tier?: boolean | undefined;
  /** With --tier: its backends too. */
  readonly pool?: string | undefined;
}

export function statusCommand(flags: StatusFlags, output: CommandOutput = process): Promise<number> {
  return withAdmin('status', output, async () => {
    const client = new AdminClient(flags);
    if (flags.tier === true) {
      const query = flags.pool === undefined ? '' : `?pool=${encodeURIComponent(flags.pool)}`;
      const tier = await client.get(`/api/v1/tier${query}`, tierAnswer);
      output.stdout.write(flags.json === true ? `${JSON.stringify(tier, null, 2)}\n` : tierText(tier, systemClock.wallMs()));
      return;
    }
    const status = await client.get('/api/v1/status', statusAnswer);
    output.stdout.write(flags.json === true ? `${JSON.stringify(status, null, 2)}\n` : statusText(status, systemClock.wallMs()));
  });
}
