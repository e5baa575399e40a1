/** `weir COMMAND …` as an operator types it, run to its end. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { warmEnv } from './warm-start.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly said: string;
}

export function weirCommand(...args: string[]): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { env: { ...process.env, ...warmEnv } }, (error, out, said) => resolve({ code: error === null ? 0 : Number(error.code), out, said }));
  });
}
