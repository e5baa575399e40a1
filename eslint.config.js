import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const CLOCK_ADVICE = 'pass in a Clock (src/base/clock.ts), so that a simulation can own time';
const RANDOM_ADVICE = 'pass in a Random (src/base/random.ts), so that a seed can replay a run';

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'coverage/', 'config/schema.json'] },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      'no-constant-condition': ['error', { checkLoops: false }],
      eqeqeq: 'error',
    },
  },
  {
    // Time and chance come from base/, and sockets from net/: see docs/ARCHITECTURE.md.
    files: ['src/**/*.ts'],
    ignores: ['src/base/**', 'src/net/**'],
    rules: {
      'no-restricted-globals': [
        'error',
        { name: 'setTimeout', message: CLOCK_ADVICE },
        { name: 'setInterval', message: CLOCK_ADVICE },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: CLOCK_ADVICE },
        { object: 'performance', property: 'now', message: CLOCK_ADVICE },
        { object: 'Math', property: 'random', message: RANDOM_ADVICE },
      ],
    },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts', 'demo/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
    },
  },
  { files: ['**/*.js'], ...tseslint.configs.disableTypeChecked },
);
