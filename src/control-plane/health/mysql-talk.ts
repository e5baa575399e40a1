/**
 * What the `mysql` probe says and hears: the greeting, the login, then the
 * questions it is asked for. Whatever goes wrong, the login is brought to an end
 * as long as the server plays along: one that is broken off counts against this
 * host, and after `max_connect_errors` of them in a row MySQL lets nobody in from
 * here, clients' connections included. One instance for one attempt; played by
 * talk-script.ts's rules, called by mysql-probe.ts alone.
 */
import {
  CACHING_SHA2, EOF, ERR, LOCAL_FILE, MORE, NATIVE_PASSWORD, OK, PacketReader, encryptedPassword, firstPacketFraming, handshakeResponse, isEof, packet, packetFraming, packetOf, passwordToken,
  queryPacket, quitPacket, readAuthSwitch, readError, readHandshake, readRow, tlsRequest, type MysqlError,
} from './mysql-messages.ts';
import { BadAnswer, failed, read, say, secure, type Talk, type TalkEnd } from './talk-script.ts';

export interface MysqlWanted {
  readonly user: string;
  /** '': none. */
  readonly password: string;
  readonly database: string | null;
  /** '': none. */
  readonly query: string;
  readonly isPrimary: boolean;
  /** Nobody is named, and no password told, but in TLS. */
  readonly isSecure?: boolean;
}

/** Our own words where the server's are not to be repeated. */
const WORDS: Readonly<Record<number, string>> = {
  1040: 'too many connections',
  1044: 'no access to the database',
  1045: 'wrong password',
  1049: 'no such database',
  1053: 'shutting down',
  1129: 'this host is blocked',
  1130: 'this host is not allowed in',
  3159: 'wants an encrypted connection',
};

const UNKNOWN_VARIABLE = 1193;
/** super_read_only cannot be on without read_only. Of a cluster over shared storage (Aurora) innodb_read_only tells a reader; a server without InnoDB knows no such thing. */
const ROLE_QUERIES = ['select @@global.read_only, @@global.innodb_read_only', 'select @@global.read_only'];

const COLUMNS_MAX = 4096;
const FAST_AUTHENTICATED = 3;
const FULL_AUTHENTICATION = 4;
const ASK_FOR_KEY = 2;

interface QueryResult {
  readonly hasColumns: boolean;
  readonly rows: number;
  /** The first row. */
  readonly first: readonly (string | null)[];
}

export class MysqlTalk {
  readonly #wanted: MysqlWanted;
  /** Of the next packet, either way. */
  #sequence = 0;
  /** The server got hold of the password itself: from then on whatever it says may be the password, in any disguise. */
  #isPasswordKnown = false;

  constructor(wanted: MysqlWanted) {
    this.#wanted = wanted;
  }

  *run(): Talk {
    const { isPrimary, query } = this.#wanted;
    const refusal = yield* this.#login();
    if (refusal !== null) return refusal;
    return (isPrimary ? yield* this.#askRole() : null) ?? (query === '' ? null : yield* this.#askQuery()) ?? { passed: true, goodbye: quitPacket };
  }

  /** Null: logged in. */
  *#login(): Talk<TalkEnd | null> {
    const greeting = packetOf(yield* read(firstPacketFraming)).payload;
    this.#sequence = 1;
    // Too many connections, a blocked host: said instead of a greeting.
    if (greeting[0] === ERR) return this.#failedBy(readError(greeting));
    const { user, password, database, isSecure = false } = this.#wanted;
    const handshake = readHandshake(greeting);
    if (isSecure) {
      if (!handshake.takesTls) return failed('does not take TLS');
      yield* this.#say(tlsRequest({ database, takesPlugins: handshake.takesPlugins }));
      yield* secure();
    }
    let { plugin, scramble } = handshake;
    let token = passwordToken(plugin, password, scramble);
    // The server's default is a guess at the user's plug-in; it asks again if that is another.
    if (token === null) token = passwordToken((plugin = NATIVE_PASSWORD), password, scramble)!;
    yield* this.#say(handshakeResponse({ user, database, plugin, token, takesPlugins: handshake.takesPlugins, isSecure }));
    let answer = yield* this.#next();
    if (answer[0] === EOF) {
      ({ plugin, scramble } = readAuthSwitch(answer));
      token = passwordToken(plugin, password, scramble);
      // An empty answer is refused, or not, but ends the login.
      yield* this.#say(token ?? Buffer.alloc(0));
      answer = yield* this.#next();
      if (token === null && answer[0] !== OK) return failed('asks for an authentication that is not spoken here:', plugin);
    }
    if (answer[0] === MORE && plugin === CACHING_SHA2) {
      if (answer[1] === FULL_AUTHENTICATION && answer.length === 2) yield* isSecure ? this.#sayInTls() : this.#sayEncrypted(scramble);
      else if (answer[1] !== FAST_AUTHENTICATED || answer.length !== 2) throw new BadAnswer('malformed answer: authentication out of order');
      answer = yield* this.#next();
    }
    if (answer[0] === ERR) return this.#failedBy(readError(answer));
    if (answer[0] !== OK) throw new BadAnswer('malformed answer: authentication out of order');
    return null;
  }

  /** In TLS the server asks for the password as it is. */
  *#sayInTls(): Talk<void> {
    this.#isPasswordKnown = true;
    yield* this.#say(Buffer.from(`${this.#wanted.password}\0`, 'utf8'));
  }

  *#sayEncrypted(scramble: Buffer): Talk<void> {
    yield* this.#say(Buffer.from([ASK_FOR_KEY]));
    const key = yield* this.#next();
    if (key[0] !== MORE) throw new BadAnswer('malformed answer: authentication out of order');
    const encrypted = encryptedPassword(this.#wanted.password, scramble, key.subarray(1));
    // Whoever made that key can read it.
    this.#isPasswordKnown = true;
    yield* this.#say(encrypted);
  }

  *#askRole(): Talk<TalkEnd | null> {
    for (const text of ROLE_QUERIES) {
      const result = yield* this.#ask(text);
      if ('code' in result && result.code === UNKNOWN_VARIABLE) continue;
      if ('code' in result) return this.#failedBy(result, 'role cannot be asked: ', quitPacket);
      if (result.rows !== 1) break;
      return result.first.every((value) => value === '0' || value === 'OFF') ? null : failed('is read-only', '', quitPacket);
    }
    return failed('malformed answer to the question for its role', '', quitPacket);
  }

  *#askQuery(): Talk<TalkEnd | null> {
    const result = yield* this.#ask(this.#wanted.query);
    if ('code' in result) return this.#failedBy(result, 'query failed: ', quitPacket);
    return result.hasColumns && result.rows === 0 ? failed('query found no row', '', quitPacket) : null;
  }

  *#ask(text: string): Talk<QueryResult | MysqlError> {
    yield* say(queryPacket(text));
    this.#sequence = 1;
    const start = yield* this.#next();
    if (start[0] === ERR) return readError(start);
    if (start[0] === OK) return { hasColumns: false, rows: 0, first: [] };
    // A statement that would have this machine's files sent.
    if (start[0] === LOCAL_FILE) throw new BadAnswer('query asks for a file, which it does not get');
    const columns = new PacketReader(start).length();
    if (columns === null || columns > COLUMNS_MAX) throw new BadAnswer('malformed answer: the number of columns');
    for (let column = 0; column < columns; column++) yield* this.#next();
    if (!isEof(yield* this.#next())) throw new BadAnswer('malformed answer: more columns than it said');
    let first: readonly (string | null)[] = [];
    for (let rows = 0; ; rows++) {
      const row = yield* this.#next();
      if (isEof(row)) return { hasColumns: true, rows, first };
      if (row[0] === ERR) return readError(row);
      if (rows === 0) first = readRow(row, columns);
    }
  }

  *#say(payload: Buffer): Talk<void> {
    yield* say(packet(this.#sequence++, payload));
  }

  /** A payload of one byte at least. */
  *#next(): Talk<Buffer> {
    const { sequence, payload } = packetOf(yield* read(packetFraming));
    if (sequence !== this.#sequence || payload.length === 0) throw new BadAnswer('malformed answer: packets out of order');
    this.#sequence = (this.#sequence + 1) & 0xff;
    return payload;
  }

  #failedBy({ code, text }: MysqlError, before = '', goodbye?: Buffer): TalkEnd {
    return this.#isPasswordKnown ? failed(`${before}${code} ${WORDS[code] ?? ''}`, '', goodbye) : failed(`${before}${code}`, text, goodbye);
  }
}
