/** The client's side of the wire, shared by the load generators: one request as bytes, and a watch over the answers. */
import type { Scenario } from './scenarios.ts';

const HEAD_END = Buffer.from('\r\n\r\n', 'latin1');
const STATUS_AT = 'HTTP/1.1 '.length;
const OK = Buffer.from('200', 'latin1');

/** Follows one answer after the other on a connection. */
export class Exchange {
  private readonly answerBytes: number;
  private pending: Buffer | null = null;
  private bodyBytesDue = -1;

  constructor(scenario: Scenario) {
    this.answerBytes = scenario.answerBytes;
  }

  take(chunk: Buffer): 'partial' | 'complete' | 'wrong' {
    let bytes = chunk;
    if (this.bodyBytesDue < 0) {
      if (this.pending !== null) bytes = Buffer.concat([this.pending, chunk]);
      const end = bytes.indexOf(HEAD_END);
      if (end < 0) {
        this.pending = bytes;
        return 'partial';
      }
      if (bytes.compare(OK, 0, OK.length, STATUS_AT, STATUS_AT + OK.length) !== 0) return 'wrong';
      this.pending = null;
      this.bodyBytesDue = this.answerBytes;
      bytes = bytes.subarray(end + HEAD_END.length);
    }
    this.bodyBytesDue -= bytes.length;
    if (this.bodyBytesDue > 0) return 'partial';
    if (this.bodyBytesDue < 0) return 'wrong';
    this.bodyBytesDue = -1;
    return 'complete';
  }
}

export function encodeRequest(scenario: Scenario, port: number): Buffer {
  const fields = [`Host: localhost:${port}`, ...scenario.headers.map(([name, value]) => `${name}: ${value}`)];
  if (scenario.newConnectionEach) fields.push('Connection: close');
  if (scenario.method === 'POST') fields.push(`Content-Length: ${scenario.uploadBytes}`);
  const head = Buffer.from(`${scenario.method} ${scenario.path} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`, 'latin1');
  return Buffer.concat([head, Buffer.alloc(scenario.uploadBytes, 'u')]);
}
