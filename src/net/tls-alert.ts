/** A fatal alert of TLS in the clear, as it may stand before any key is agreed on (RFC 8446 §6, RFC 5246 §7.2). */

export const ALERT = { decodeError: 50, unrecognizedName: 112 } as const;

const ALERT_RECORD = 21;
const FATAL = 2;

export function alertRecord(description: number): Buffer {
  return Buffer.from([ALERT_RECORD, 3, 3, 0, 2, FATAL, description]);
}
