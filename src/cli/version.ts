/** The software's version, as in package.json: beside src/ in a checkout, beside dist/ when installed. */
import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

export const version = manifest.version;
