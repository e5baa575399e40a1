/** Writes what is made from the schema: config/schema.json and docs/reference.md. A test fails while they are out of date. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { jsonSchemaText } from '../src/cli/schema.ts';
import { referencePage } from './reference-page.ts';

export const generated: ReadonlyMap<string, () => string> = new Map([
  ['config/schema.json', jsonSchemaText],
  ['docs/reference.md', referencePage],
]);

if (import.meta.main) {
  for (const [path, make] of generated) writeFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), make());
}
