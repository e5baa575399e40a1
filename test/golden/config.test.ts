/** What `weir check` answers: a YAML file, and the problems or the effective config that come of it. */
import { fileURLToPath } from 'node:url';
import { loadConfigText } from '../../src/config/load-config.ts';
import { renderProblems } from '../../src/config/render-problems.ts';
import { testGolden } from '../support/golden.ts';

const folder = fileURLToPath(new URL('./config/', import.meta.url));
const environment = { WEB_BIND: '127.0.0.1:8081', WEIGHT: '7', WRONG: 'h t t p' };

testGolden(folder, (input) => {
  const loaded = loadConfigText(input, 'weir.yaml', { environment, descriptorsMax: 65_536 });
  return renderProblems(loaded.problems, loaded.sources, { color: false }) + (loaded.effective() ?? '');
});
