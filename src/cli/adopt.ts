/** `weir adopt`: this proxy leaves its own line of versions and takes its tier's. Exit 0: it will, 1: refused or nobody answered, 2: wrong usage. */
import { adoptAnswer } from '../control-plane/admin/answers.ts';
import { AdminClient, withAdmin, type AdminFlags, type CommandOutput } from './admin-client.ts';

export function adoptCommand(flags: AdminFlags, output: CommandOutput = process): Promise<number> {
  return withAdmin('adopt', output, async () => {
    const answer = await new AdminClient(flags).post('/api/v1/config/adopt', {}, adoptAnswer);
    output.stdout.write(flags.json === true ? `${JSON.stringify(answer)}\n` : "this proxy takes the tier's config\n");
  });
}
