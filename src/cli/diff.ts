/** `weir diff A B`: what differs between two versions, as `diff -u` shows it. Exit 0: shown, also when nothing does, 1: not to be had, 2: wrong usage. */
import { unifiedDiff } from '../base/line-diff.ts';
import { AdminClient, withAdmin, type AdminFlags, type CommandOutput } from './admin-client.ts';
import { versionOf } from './push.ts';

export function diffCommand(a: string, b: string, flags: AdminFlags, output: CommandOutput = process): Promise<number> {
  return withAdmin('diff', output, async () => {
    const numbers = [versionOf(a, 'A'), versionOf(b, 'B')] as const;
    const client = new AdminClient(flags);
    const [from, to] = [await client.text(`/api/v1/config?version=${numbers[0]}`), await client.text(`/api/v1/config?version=${numbers[1]}`)];
    const diff = unifiedDiff(from, to, { from: `version ${numbers[0]}`, to: `version ${numbers[1]}` });
    output.stdout.write(flags.json === true ? `${JSON.stringify({ from: numbers[0], to: numbers[1], diff })}\n` : diff);
  });
}
