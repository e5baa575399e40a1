/** An access log that keeps its entries, for tests of what is recorded; how a line is written is test/observe's. */
import type { AccessLogEntry } from '../../src/observe/access-format.ts';
import type { AccessLog } from '../../src/observe/access-log.ts';

export class RecordedLines {
  readonly entries: AccessLogEntry[] = [];

  /** As the engine takes one. */
  get log(): AccessLog {
    const taken: Pick<AccessLog, 'record'> = { record: (entry) => void this.entries.push({ ...entry }) };
    return taken as AccessLog;
  }

  /** What each of them ended with, in order; '' for nothing. */
  get errors(): string[] {
    return this.entries.map(({ error }) => error);
  }
}
