/** What a client is told whose request head the parser refused, by the parser's negative result. */
import type { ErrorCode } from '../../base/errors.ts';
import { HEAD_TOO_LARGE, NOT_IMPLEMENTED, TARGET_TOO_LONG, VERSION_UNSUPPORTED } from '../parse/bytes.ts';

export function refusalCode(result: number): ErrorCode {
  switch (result) {
    case HEAD_TOO_LARGE:
      return 'head-too-large';
    case TARGET_TOO_LONG:
      return 'target-too-long';
    case NOT_IMPLEMENTED:
      return 'not-implemented';
    case VERSION_UNSUPPORTED:
      return 'version-unsupported';
    default:
      return 'bad-request';
  }
}
