/**
 * The JSON Schema of the config, for editors: made from the zod schema, so it
 * knows the same keys, defaults and meanings. It is a little more lenient than
 * `weir check`: rules over several keys are not in it.
 */
import { z } from 'zod';
import { config } from './schema/config.ts';
import { noteOf } from './schema/notes.ts';

/** Draft 7, which editors' YAML support knows best. */
export function configJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(config, { io: 'input', target: 'draft-07', reused: 'inline', override: allowVariables }) as Record<string, unknown>;
  const { $schema, '~standard': _, ...rest } = schema;
  plainNames(rest);
  return {
    $schema,
    title: 'Weir config',
    description: 'Config of the Weir load balancer. Made by docs/generate.ts; do not edit.',
    ...rest,
    patternProperties: { '^x-': { description: 'Ignored: a place for anchors.' } },
    definitions: { substituted: SUBSTITUTED },
  };
}

const SUBSTITUTED = { type: 'string', pattern: '\\$\\{|^file:', description: 'Text with ${NAME} or ${NAME:-default}, or file:PATH.' };

type Json = z.core.JSONSchema.BaseSchema;

/** Any scalar may be written as a variable or a file, whatever it must be afterwards. */
function allowVariables({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: Json }): void {
  if (noteOf(zodSchema).leaf === undefined) return;
  const { description, default: written, ...form } = jsonSchema;
  const isAnyText = form.type === 'string' && Object.keys(form).length === 1;
  if (isAnyText) return;
  for (const key of Object.keys(form)) delete (jsonSchema as Record<string, unknown>)[key];
  const forms = form.anyOf !== undefined && Object.keys(form).length === 1 ? form.anyOf : [form as Json];
  jsonSchema.anyOf = [...forms, { $ref: '#/definitions/substituted' }];
  if (description !== undefined) jsonSchema.description = description;
  if (written !== undefined) jsonSchema.default = written;
}

/** Variables work in values, not in keys. */
function plainNames(json: unknown): void {
  if (typeof json !== 'object' || json === null) return;
  const names = (json as { propertyNames?: Json }).propertyNames;
  if (names?.anyOf !== undefined) (json as { propertyNames?: Json }).propertyNames = names.anyOf[0] as Json;
  for (const part of Object.values(json)) plainNames(part);
}
