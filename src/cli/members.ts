/** `weir members`: who is in the tier and how they stand. Exit 0: answered, 1: nobody did, 2: wrong usage. */
import { systemClock } from '../base/clock.ts';
import { tierAnswer } from '../control-plane/admin/answers.ts';
import { AdminClient, withAdmin, type AdminFlags, type CommandOutput } from './admin-client.ts';
import { membersText } from './admin/tier-text.ts';

export function membersCommand(flags: AdminFlags, output: CommandOutput = process): Promise<number> {
  return withAdmin('members', output, async () => {
    const tier = await new AdminClient(flags).get('/api/v1/tier', tierAnswer);
    const { name, leader, members } = tier;
    output.stdout.write(flags.json === true ? `${JSON.stringify({ name, leader, members }, null, 2)}\n` : membersText(tier, systemClock.wallMs()));
  });
}
