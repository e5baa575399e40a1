/** PROXY headers of version 2 put together byte by byte, for what no sender of ours would write. */

export const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n';

export function tlv(type: number, value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
  return Buffer.concat([Buffer.from([type, bytes.length >> 8, bytes.length & 255]), bytes]);
}

/** `command`: 0x20 LOCAL, 0x21 PROXY. `kind`: family and transport. `length`: what it claims; absent: what it is. */
export function v2Header(command: number, kind: number, body: readonly Buffer[], length?: number): Buffer {
  const whole = Buffer.concat(body);
  const claimed = length ?? whole.length;
  return Buffer.concat([Buffer.from(SIGNATURE, 'latin1'), Buffer.from([command, kind, claimed >> 8, claimed & 255]), whole]);
}

/** Source 192.0.2.1:4711, destination 198.51.100.2:443. */
export const ENDS_V4 = Buffer.from([192, 0, 2, 1, 198, 51, 100, 2, 0x12, 0x67, 0x01, 0xbb]);
/** Source 2001:db8::1, destination 2001:db8::2, the same ports. */
export const ENDS_V6 = Buffer.from(`20010db8${'00'.repeat(11)}0120010db8${'00'.repeat(11)}02126701bb`, 'hex');
