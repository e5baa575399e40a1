import { expect, it } from 'vitest';
import { z } from 'zod';
import { isSecretOption, secretOption } from '../../../src/control-plane/health/secret-option.ts';

it('is told from other options, whatever was done to its description', () => {
  const options = z.strictObject({ user: z.string().default(''), password: secretOption('Password of the user.').describe('Another text.') });
  expect(isSecretOption(options.shape.password)).toBe(true);
  expect(isSecretOption(options.shape.user)).toBe(false);
  expect(options.parse({})).toEqual({ user: '', password: '' });
});
