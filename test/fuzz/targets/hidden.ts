/** A target to try the search itself on: three bytes, each looked at only behind the one before. */
import { Violation, type FuzzTarget } from './target.ts';

export const hiddenTarget: FuzzTarget = {
  name: 'hidden',
  watched: ['/targets/hidden.ts'],
  seeds: ['....'],
  tokens: [...'abcdefghijklmnop'],
  bytesMax: 8,
  check(input) {
    if (input[0] === 100) {
      if (input[1] === 107) {
        if (input[2] === 103) {
          throw new Violation('found');
        }
      }
    }
    return '';
  },
};
