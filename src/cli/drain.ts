/**
 * `weir drain` and `weir undrain`: this proxy without a target, a backend
 * (`pool/address`) or another member of the tier (its id) with one. Exit 0:
 * done, or told and noted; 1: refused or nobody answered; 2: wrong usage.
 */
import { drainAnswer, stateChangeAnswer, type DrainAnswer } from '../control-plane/admin/answers.ts';
import { AdminClient, AdminError, withAdmin, type AdminFlags, type CommandOutput } from './admin-client.ts';

export interface DrainFlags extends AdminFlags {
  /** `drain` (the default) or `disabled`; backends only. */
  readonly state?: string | undefined;
  /** 0 to 1000: sets the weight instead, unless --state is given too; backends only. */
  readonly weight?: string | undefined;
  readonly reason?: string | undefined;
}

export function drainCommand(target: string | undefined, flags: DrainFlags, output: CommandOutput = process): Promise<number> {
  return withAdmin('drain', output, async () => {
    if (isBackend(target)) {
      await changeBackend(target, flags, drainChange(flags), output);
      return;
    }
    if (flags.state !== undefined || flags.weight !== undefined) throw new AdminError('--state and --weight are for a backend, written pool/address', 2);
    await commandProxy('drain', target, flags, output);
  });
}

/** A backend goes back to what the file says of it: state and weight. */
export function undrainCommand(target: string | undefined, flags: DrainFlags, output: CommandOutput = process): Promise<number> {
  return withAdmin('undrain', output, async () => {
    if (isBackend(target)) await changeBackend(target, flags, { state: 'ready', weight: null }, output);
    else await commandProxy('undrain', target, flags, output);
  });
}

function drainChange({ state, weight }: DrainFlags): Record<string, unknown> {
  if (state !== undefined && state !== 'drain' && state !== 'disabled') throw new AdminError(`--state ${state}: drain or disabled is expected`, 2);
  if (weight === undefined) return { state: state ?? 'drain' };
  if (!/^[0-9]{1,4}$/.test(weight) || Number(weight) > 1000) throw new AdminError(`--weight ${weight}: a whole number from 0 to 1000 is expected`, 2);
  return { ...(state !== undefined && { state }), weight: Number(weight) };
}

function isBackend(target: string | undefined): target is string {
  return target?.includes('/') ?? false;
}

async function commandProxy(command: 'drain' | 'undrain', member: string | undefined, flags: DrainFlags, output: CommandOutput): Promise<void> {
  const body = { ...reasonOf(flags), ...(member !== undefined && { member }) };
  const answer = await new AdminClient(flags).post(`/api/v1/${command}`, body, drainAnswer);
  output.stdout.write(flags.json === true ? `${JSON.stringify(answer)}\n` : `${drainText(command, member, answer)}\n`);
}

function drainText(command: string, member: string | undefined, { state, followed }: DrainAnswer): string {
  const who = member ?? 'this proxy';
  if (state === null) return `${who} is not in the tier now; it will ${command} when it is`;
  return followed ? `${who} is ${state}` : `${who} has been told to ${command}; it still is ${state}`;
}

async function changeBackend(target: string, flags: DrainFlags, change: Record<string, unknown>, output: CommandOutput): Promise<void> {
  const slash = target.indexOf('/');
  if (slash < 1 || slash === target.length - 1) {
    throw new AdminError(`${target}: a backend is written pool/address`, 2);
  }
  const pool = target.slice(0, slash);
  const address = target.slice(slash + 1);
  const path = `/api/v1/pools/${encodeURIComponent(pool)}/backends/${encodeURIComponent(address)}/state`;
  const answer = await new AdminClient(flags).post(path, { ...change, ...reasonOf(flags) }, stateChangeAnswer);
  output.stdout.write(flags.json === true ? `${JSON.stringify(answer)}\n` : `${pool}/${address}: ${answer.state}, weight ${answer.weight}, ${answer.inFlight} in flight\n`);
}

function reasonOf({ reason }: DrainFlags): { reason?: string } {
  return reason === undefined ? {} : { reason };
}
