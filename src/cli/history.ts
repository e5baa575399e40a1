/** `weir history`: versions of the config, newest first. Exit 0: it answered, 1: it did not, 2: wrong usage. */
import { configVersionsAnswer, type ConfigVersionsAnswer } from '../control-plane/admin/answers.ts';
import { AdminClient, withAdmin, type AdminFlags, type CommandOutput } from './admin-client.ts';
import { tableLines, visibleText, type TextColumn } from './admin/text-table.ts';

export function historyCommand(flags: AdminFlags, output: CommandOutput = process): Promise<number> {
  return withAdmin('history', output, async () => {
    const versions = await new AdminClient(flags).get('/api/v1/config/versions', configVersionsAnswer);
    output.stdout.write(flags.json === true ? `${JSON.stringify(versions, null, 2)}\n` : historyText(versions));
  });
}

const columns: readonly TextColumn[] = [
  { title: 'VERSION', align: 'right' },
  { title: 'STATE', align: 'left' },
  { title: 'PUBLISHED', align: 'left' },
  { title: 'BY', align: 'left' },
  { title: 'SHA256', align: 'left' },
  { title: '', align: 'left' },
];
const SHA_SHOWN = 12;

export function historyText({ items, head, rollout, failure, lastRefusal }: ConfigVersionsAnswer): string {
  const rows = items.map(({ version, state, publishedAt, loadedAt, by, hash, rollbackOf, running }) => {
    const shown = rollout?.version === version ? rollout.phase : version === head ? 'head' : state === 'committed' ? '' : 'not taken';
    const notes = [running ? 'runs here' : '', rollbackOf === null ? '' : `content of ${rollbackOf}`, lastRefusal?.version === version ? lastRefusal.reason : ''];
    return [String(version), shown, (publishedAt ?? loadedAt ?? '').replace(/\.\d+Z$/, 'Z'), by ?? '', hash.slice(0, SHA_SHOWN), notes.filter((note) => note !== '').join(', ')];
  });
  const trouble = failure === '' ? '' : `the committed version does not run here: ${visibleText(failure)}\n`;
  return `${tableLines(columns, rows).join('\n')}\n${trouble}`;
}
