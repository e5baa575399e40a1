import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { descriptorsMax } from '../../src/config/descriptors.ts';

describe('descriptorsMax', () => {
  it.runIf(process.platform === 'linux')('is the limit this process runs under', () => {
    const program = `import { descriptorsMax } from ${JSON.stringify(new URL('../../src/config/descriptors.ts', import.meta.url).href)}; console.log(descriptorsMax());`;
    const output = execFileSync('sh', ['-c', 'ulimit -n 777 && exec "$0" --input-type=module --eval "$1"', process.execPath, program], { encoding: 'utf8' });
    expect(output.trim()).toBe('777');
  });

  it('is not known where the system does not say', () => {
    expect(descriptorsMax('/nonexistent')).toBeNull();
  });
});
