/** `weir schema`: the JSON Schema of the config, for an editor. */
import { configJsonSchema } from '../config/json-schema.ts';
import type { CommandOutput } from './check.ts';

/** → exit code. */
export function schemaCommand(output: CommandOutput): 0 {
  output.out(jsonSchemaText());
  return 0;
}

/** As it stands in config/schema.json. */
export function jsonSchemaText(): string {
  return `${JSON.stringify(configJsonSchema(), null, 2)}\n`;
}
