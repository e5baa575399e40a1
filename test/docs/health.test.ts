/** docs/health.md and the registry of probe types: each has what the other has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { probeDefinitions } from '../../src/control-plane/health/registry.ts';
import { root } from '../tidy/sources.ts';

const page = readFileSync(join(root, 'docs/health.md'), 'utf8');

it('has a section for each type, and for nothing else', () => {
  const sections = [...page.matchAll(/^## `([a-z]+)`$/gm)].map(([, name]) => name);
  expect(sections.sort()).toEqual(probeDefinitions.map(({ name }) => name));
});
