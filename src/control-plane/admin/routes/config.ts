/** The config: what runs, what ran, and (with a store) publishing another. */
import { z } from 'zod';
import { JSON_TYPE, jsonReply, type AdminRoute } from '../admin-route.ts';
import { configVersionsAnswer } from '../answers.ts';
import { maskedText } from '../mask-secrets.ts';
import { CallProblem } from '../problem.ts';

const YAML_TYPE = 'application/yaml';
const CONFIG_BYTES_MAX = 16 * 1024 * 1024;

export const getConfig: AdminRoute = {
  method: 'GET',
  path: '/api/v1/config',
  access: 'read',
  summary: 'The running config as written, its ETag the version; tokens and passwords in it are replaced.',
  answer: { contentType: YAML_TYPE },
  problems: [503],
  handle({ context }) {
    const config = context.running();
    if (config === null) throw new CallProblem(503, 'No config is loaded yet.');
    const { token, readToken } = config.snapshot.admin;
    const secrets = [token, readToken].filter((secret) => secret !== null);
    return { kind: 'chunks', contentType: YAML_TYPE, headers: { etag: `"${config.snapshot.number}"` }, chunks: maskedText(context.configText(), secrets) };
  },
};

export const getConfigVersions: AdminRoute = {
  method: 'GET',
  path: '/api/v1/config/versions',
  access: 'read',
  summary: 'Versions this proxy knows, newest first.',
  answer: { contentType: JSON_TYPE, schema: configVersionsAnswer },
  handle({ context }) {
    const running = context.running()?.snapshot.number;
    const items = context.configVersions().map(({ version, hash, effectiveHash, loadedAtMs }) => {
      return { version, hash, effectiveHash, loadedAt: new Date(loadedAtMs).toISOString(), running: version === running };
    });
    return jsonReply({ items });
  },
};

export const postConfig: AdminRoute = {
  method: 'POST',
  path: '/api/v1/config',
  access: 'write',
  summary: 'Publishes a config to the tier. Without a store: 409, since the file rules.',
  body: { kind: 'config', schema: z.string(), bytesMax: CONFIG_BYTES_MAX },
  answer: { contentType: JSON_TYPE },
  problems: [409],
  handle() {
    throw new CallProblem(409, 'This proxy has no store, so its config is the file: edit that, and reload.');
  },
};
