/**
 * What a member of a tier keeps on its disk: the config it last ran by the
 * tier's word, so that it can start without the store; who it was, so that a
 * restart may take its own id back; and which version its file last equalled.
 * What cannot be read is absent, and said; it never stops a start.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Log } from '../../observe/log.ts';
import type { StateFile } from '../state-file.ts';

export interface CommittedConfig {
  readonly history: string;
  readonly number: number;
  /** sha256 (hex) of the bytes. */
  readonly sha: string;
  /** As published (config-texts.ts). */
  readonly version: string;
  readonly bytes: Uint8Array;
}

export interface FileParent {
  readonly number: number;
  readonly sha: string;
}

export interface MemberIdentity {
  readonly id: string;
  readonly incarnation: string;
}

export interface DiskState {
  readonly committed: CommittedConfig | null;
  readonly parent: FileParent | null;
  readonly identity: MemberIdentity | null;
}

/** The port: a simulation keeps all this in memory. Writing never rejects; what fails is logged. */
export interface RolloutDisk {
  read(): Promise<DiskState>;
  /** null: there is none any more (another history is adopted). */
  writeCommitted(committed: CommittedConfig | null): Promise<void>;
  writeParent(parent: FileParent | null): Promise<void>;
  writeIdentity(identity: MemberIdentity): Promise<void>;
}

export const COMMITTED_FILE = 'committed-config.json';
export const MEMBER_FILE = 'member.json';

const shaText = z.string().regex(/^[0-9a-f]{64}$/);
const committedSchema = z.object({
  history: z.string().min(1),
  number: z.int().positive(),
  sha: shaText,
  version: z.string(),
  bytes: z.base64(),
});
const memberSchema = z.object({
  identity: z.object({ id: z.string(), incarnation: z.string() }).nullable().default(null),
  parent: z.object({ number: z.int().positive(), sha: shaText }).nullable().default(null),
});

export class StateFilesDisk implements RolloutDisk {
  readonly #committed: StateFile;
  readonly #member: StateFile;
  readonly #log: Pick<Log, 'warn' | 'error'>;
  #kept: z.infer<typeof memberSchema> = { identity: null, parent: null };

  constructor(committed: StateFile, member: StateFile, log: Pick<Log, 'warn' | 'error'>) {
    this.#committed = committed;
    this.#member = member;
    this.#log = log;
  }

  async read(): Promise<DiskState> {
    this.#kept = (await this.#parsed(this.#member, memberSchema)) ?? this.#kept;
    const written = await this.#parsed(this.#committed, committedSchema);
    return { committed: written === null ? null : this.#checked(written), ...this.#kept };
  }

  writeCommitted(committed: CommittedConfig | null): Promise<void> {
    return this.#write(this.#committed, committed === null ? null : { ...committed, bytes: Buffer.from(committed.bytes).toString('base64') });
  }

  writeParent(parent: FileParent | null): Promise<void> {
    this.#kept = { ...this.#kept, parent };
    return this.#write(this.#member, this.#kept);
  }

  writeIdentity({ id, incarnation }: MemberIdentity): Promise<void> {
    this.#kept = { ...this.#kept, identity: { id, incarnation } };
    return this.#write(this.#member, this.#kept);
  }

  #checked({ bytes: text, ...written }: z.infer<typeof committedSchema>): CommittedConfig | null {
    const bytes = Buffer.from(text, 'base64');
    if (createHash('sha256').update(bytes).digest('hex') === written.sha) return { ...written, bytes };
    this.#absent(this.#committed, 'its bytes are not those of its sha');
    return null;
  }

  async #parsed<Schema extends z.ZodType>(file: StateFile, schema: Schema): Promise<z.output<Schema> | null> {
    const content = await file.read();
    if (content.kind === 'absent' || (content.kind === 'read' && content.value === null)) return null;
    const parsed = content.kind === 'read' ? schema.safeParse(content.value) : null;
    if (parsed?.success === true) return parsed.data;
    this.#absent(file, content.kind === 'unreadable' ? content.cause : 'not in the expected form');
    return null;
  }

  #absent({ path }: StateFile, cause: string): void {
    this.#log.warn('what was kept could not be read and is taken as absent', { path, cause });
  }

  async #write(file: StateFile, value: unknown): Promise<void> {
    try {
      await file.write(value);
    } catch (error) {
      this.#log.error('could not be written: it ends with this process', { path: file.path, err: error });
    }
  }
}
