/** What an operator reads when the text of a config is wrong, before any key is looked at. */
import { fileURLToPath } from 'node:url';
import { renderProblems } from '../../src/config/render-problems.ts';
import { testGolden } from '../support/golden.ts';
import { fixedSource, loadText } from '../support/load-text.ts';

const source = fixedSource({ PORT: '0x50', BIND: ':8080' }, { token: 's3cret' });

testGolden(fileURLToPath(new URL('./config-text/', import.meta.url)), (input) => {
  const { problems, text } = loadText(input, source);
  return renderProblems(problems.sorted(), new Map([['weir.yaml', text]]), { color: false });
});
