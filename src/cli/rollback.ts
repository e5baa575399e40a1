/** `weir rollback N`: publishes the content of version N as a new version. Exit 0: the tier runs it, 1: refused or nobody answered, 2: wrong usage. */
import { publishAnswer } from '../control-plane/admin/answers.ts';
import { AdminClient, withAdmin, type AdminFlags, type CommandOutput } from './admin-client.ts';
import { versionOf } from './push.ts';

export function rollbackCommand(version: string, flags: AdminFlags, output: CommandOutput = process): Promise<number> {
  return withAdmin('rollback', output, async () => {
    const to = versionOf(version, 'VERSION');
    const answer = await new AdminClient(flags).post('/api/v1/config/rollback', { version: to }, publishAnswer);
    const text = answer.outcome === 'same' ? `version ${answer.version} has that content already` : `version ${answer.version}, the content of ${to}, is committed`;
    output.stdout.write(flags.json === true ? `${JSON.stringify(answer)}\n` : `${text}\n`);
  });
}
