import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Scenarios start real processes; a test that waits for an event that never comes should fail, not hang.
    testTimeout: 90_000,
    hookTimeout: 60_000,
    // Forks keep signals and exit handlers apart.
    globalSetup: 'test/support/warm-start.ts',
    pool: 'forks',
    // A process and its modules serve many files: to start and load them anew for each was a third of all work.
    isolate: false,
    maxWorkers: 2,
    reporters: ['default'],
  },
});
