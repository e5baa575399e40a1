/**
 * `npm run bench -- micro [NAME …]`: runs the files of bench/micro, each in a
 * process of its own, so that none meets what another left in the compiler.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const microDir = fileURLToPath(new URL('./micro/', import.meta.url));

export async function runMicroBenches(names: readonly string[]): Promise<void> {
  const present = readdirSync(microDir).filter((file) => file.endsWith('.ts')).map((file) => file.slice(0, -'.ts'.length)).sort();
  const unknown = names.filter((name) => !present.includes(name));
  if (unknown.length > 0) throw new Error(`no micro-benchmark "${unknown.join('", "')}"; there are: ${present.join(', ')}`);
  for (const name of names.length > 0 ? names : present) {
    console.log(`\n${name}`);
    const child = spawn(process.execPath, [`${microDir}${name}.ts`], { stdio: 'inherit' });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`bench/micro/${name}.ts failed`);
  }
}
