/** `weir status`: how a running proxy stands, once. Exit 0: it answered, 1: it did not, 2: wrong usage. */
import { systemClock } from '../base/clock.ts';
import { statusAnswer } from '../control-plane/admin/answers.ts';
import { AdminClient, withAdmin, type AdminFlags, type CommandOutput } from './admin-client.ts';
import { statusText } from './admin/status-view.ts';

export function statusCommand(flags: AdminFlags, output: CommandOutput = process): Promise<number> {
  return withAdmin('status', output, async () => {
    const status = await new AdminClient(flags).get('/api/v1/status', statusAnswer);
    output.stdout.write(flags.json === true ? `${JSON.stringify(status, null, 2)}\n` : statusText(status, systemClock.wallMs()));
  });
}
