/**
 * `weir push FILE`: publishes a config to the tier of a running proxy and waits
 * for what becomes of it, a canary's time included. Exit 0: the tier runs it,
 * 1: refused or nobody answered, 2: wrong usage.
 */
import { readFile } from 'node:fs/promises';
import { pause, systemClock, type Clock } from '../base/clock.ts';
import { durationMs } from '../base/duration.ts';
import { configVersionsAnswer, publishAnswer } from '../control-plane/admin/answers.ts';
import { AdminClient, AdminError, withAdmin, type AdminFlags, type CommandOutput } from './admin-client.ts';

export interface PushFlags extends AdminFlags {
  readonly parent?: string | undefined;
  readonly canary?: string | undefined;
  readonly for?: string | undefined;
}

const LOOK_EVERY_MS = 500;
const VERSIONS_PATH = '/api/v1/config/versions';

export function pushCommand(file: string, flags: PushFlags, output: CommandOutput = process, clock: Clock = systemClock): Promise<number> {
  return withAdmin('push', output, async () => {
    const query = canaryQuery(flags);
    const given = flags.parent === undefined ? null : versionOf(flags.parent, '--parent');
    const bytes = await readFile(file).catch((error: Error) => {
      throw new AdminError(`cannot read ${file}: ${error.message}`, 2);
    });
    const client = new AdminClient(flags);
    const parent = given ?? (await client.get(VERSIONS_PATH, configVersionsAnswer)).head;
    const answer = await client.publish(`/api/v1/config${query}`, bytes, parent, publishAnswer);
    const say = (text: string): unknown => (flags.json === true ? undefined : output.stdout.write(`${text}\n`));
    if (answer.outcome === 'same') say(`version ${answer.version} has these very bytes already`);
    if (answer.outcome === 'canary') {
      say(`version ${answer.version} is tried on`);
      await decided(client, answer.version, clock, say);
    }
    for (const note of answer.notes) say(note);
    if (answer.outcome !== 'same') say(`version ${answer.version} is committed`);
    if (flags.json === true) output.stdout.write(`${JSON.stringify({ ...answer, outcome: answer.outcome === 'canary' ? 'committed' : answer.outcome })}\n`);
  });
}

/** Waits until the tier has decided about a canary. Throws AdminError if it is not taken. */
async function decided(client: AdminClient, version: number, clock: Clock, say: (text: string) => unknown): Promise<void> {
  let told = '';
  while (true) {
    const { rollout, items, lastRefusal } = await client.get(VERSIONS_PATH, configVersionsAnswer);
    if (items.find((item) => item.version === version)?.state === 'committed') return;
    if (rollout?.version !== version) throw new AdminError(`version ${version} was not taken${lastRefusal?.version === version ? `: ${lastRefusal.reason}` : ''}`);
    const canaries = rollout.canaries.join(', ');
    if (canaries !== told) say(`by ${canaries}`);
    told = canaries;
    await pause(clock, LOOK_EVERY_MS);
  }
}

function canaryQuery({ canary, for: forText }: PushFlags): string {
  if (canary === undefined) {
    if (forText !== undefined) throw new AdminError('--for goes with --canary', 2);
    return '';
  }
  if (!/^[0-9]+(\.[0-9]+)?%$/.test(canary)) throw new AdminError(`--canary ${canary}: a share such as 20% is expected`, 2);
  if (forText !== undefined && durationMs(forText) === null) throw new AdminError(`--for ${forText}: a duration such as 1m is expected`, 2);
  return `?canary=${encodeURIComponent(canary)}${forText === undefined ? '' : `&for=${forText}`}`;
}

/** Throws AdminError for what is no version's number. */
export function versionOf(text: string, name: string): number {
  if (/^[1-9][0-9]{0,14}$/.test(text)) return Number(text);
  throw new AdminError(`${name} ${text}: the number of a version is expected, as weir history shows it`, 2);
}
