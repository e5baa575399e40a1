/**
 * What the `postgres` probe says and hears: the start of a session, the login,
 * then the questions it is asked for. One instance for one attempt; played by
 * talk-script.ts's rules, called by postgres-probe.ts alone.
 */
import { SCRAM_SHA_256, ScramLogin } from './scram.ts';
import {
  firstMessageFraming, firstMessageOf, md5Answer, messageFraming, messageOf, passwordMessage, queryMessage, readAuthentication, readError, readFirstColumn,
  saslInitialMessage, saslMessage, startupMessage, terminateMessage, tlsRequest, type AuthenticationRequest, type PostgresError, type PostgresMessage,
} from './postgres-messages.ts';
import { BadAnswer, exactly, failed, read, say, secure, type Talk, type TalkEnd } from './talk-script.ts';

export interface PostgresWanted {
  readonly user: string;
  /** '': none. */
  readonly password: string;
  /** null: the server takes the one called like the user. */
  readonly database: string | null;
  /** '': none. */
  readonly query: string;
  readonly isPrimary: boolean;
  /** Passes at the first answer of a server that takes connections, whether or not it would let this user in. */
  readonly isAnyAnswerEnough: boolean;
  /** Nothing of it is said but in TLS. */
  readonly isSecure?: boolean;
  /** For SCRAM: never used twice. */
  readonly nonce: string;
}

/** Classes of SQLSTATE that say that the server cannot serve, whoever asks: out of resources, an operator's doing (57P03: starting up), a failing system, a bug. */
const CANNOT_SERVE = /^(?:53|57|58|XX|$)/;

/** Our own words where the server's are not to be repeated. */
const WORDS: Readonly<Record<string, string>> = {
  '28000': 'not allowed in',
  '28P01': 'wrong password',
  '3D000': 'no such database',
  '53300': 'too many connections',
  '57P01': 'shutting down',
  '57P03': 'takes no connections now',
};

interface QueryResult {
  readonly hasColumns: boolean;
  readonly rows: number;
  /** First column of the first row. */
  readonly first: string | null;
}

export class PostgresTalk {
  readonly #wanted: PostgresWanted;
  /** The password went over the wire as it is: from then on whatever the server says may be the password, in any disguise. */
  #isPasswordKnown = false;

  constructor(wanted: PostgresWanted) {
    this.#wanted = wanted;
  }

  *run(): Talk {
    const { user, database, isAnyAnswerEnough, isPrimary, isSecure = false, query } = this.#wanted;
    const plain = isSecure ? yield* this.#goSecure() : null;
    if (plain !== null) return plain;
    yield* say(startupMessage({ user, ...(database === null ? {} : { database }), application_name: 'weir-probe' }));
    let first = firstMessageOf(yield* read(firstMessageFraming));
    // A word about the protocol's version, or a notice, may come before it.
    while ('type' in first && (first.type === 'v' || first.type === 'N')) first = firstMessageOf(yield* read(firstMessageFraming));
    if ('code' in first || first.type === 'E') return this.#refused('code' in first ? first : readError(first.body));
    const request = readAuthentication(first.body);
    // A server that waits for a password takes a plain close for a client that has none, and logs nothing.
    if (isAnyAnswerEnough && request.kind !== 'ok') return { passed: true };
    const refusal = (yield* this.#authenticate(request)) ?? (yield* this.#begin());
    if (refusal !== null) return refusal;
    return (isPrimary ? yield* this.#askRole() : null) ?? (query === '' ? null : yield* this.#askQuery()) ?? { passed: true, goodbye: terminateMessage };
  }

  /** Null: everything from here on is in TLS. An error in place of the answer may be anyone's words: none of them is repeated. */
  *#goSecure(): Talk<TalkEnd | null> {
    yield* say(tlsRequest);
    const answer = (yield* read(exactly(1))).toString('latin1');
    if (answer === 'N') return failed('does not take TLS');
    if (answer === 'E') return failed('answers the question for TLS with an error');
    if (answer !== 'S') throw new BadAnswer('does not speak the PostgreSQL protocol');
    yield* secure();
    return null;
  }

  #refused(error: PostgresError): TalkEnd {
    return this.#wanted.isAnyAnswerEnough && !CANNOT_SERVE.test(error.code) ? { passed: true } : this.#failedBy(error);
  }

  /** Null: authenticated. */
  *#authenticate(request: AuthenticationRequest): Talk<TalkEnd | null> {
    if (request.kind === 'ok') return null;
    const { user, password } = this.#wanted;
    const asks = request.kind === 'cleartext' || request.kind === 'md5' || request.kind === 'sasl';
    if (asks && password === '') return failed('asks for a password, and none is set');
    switch (request.kind) {
      case 'cleartext':
        this.#isPasswordKnown = true;
        yield* say(passwordMessage(password));
        break;
      case 'md5':
        yield* say(passwordMessage(md5Answer(user, password, request.salt)));
        break;
      case 'sasl': {
        const refusal = yield* this.#authenticateWithScram(request.mechanisms);
        if (refusal !== null) return refusal;
        break;
      }
      default:
        return failed(request.kind === 'unknown' ? `asks for ${request.name} authentication, which is not spoken here` : 'malformed answer: authentication out of order');
    }
    const answer = yield* this.#nextAuthentication();
    if ('code' in answer) return this.#failedBy(answer);
    return answer.kind === 'ok' ? null : failed('malformed answer: authentication out of order');
  }

  *#authenticateWithScram(mechanisms: readonly string[]): Talk<TalkEnd | null> {
    if (!mechanisms.includes(SCRAM_SHA_256)) return failed('asks for a SASL mechanism that is not spoken here');
    // PostgreSQL takes the name from the startup message and none from here.
    const login = new ScramLogin('', this.#wanted.password, this.#wanted.nonce);
    yield* say(saslInitialMessage(SCRAM_SHA_256, login.first));
    const challenge = yield* this.#nextAuthentication();
    if ('code' in challenge) return this.#failedBy(challenge);
    if (challenge.kind !== 'sasl-continue') return failed('malformed answer: authentication out of order');
    yield* say(saslMessage(yield* login.final(challenge.text)));
    const outcome = yield* this.#nextAuthentication();
    if ('code' in outcome) return this.#failedBy(outcome);
    return outcome.kind === 'sasl-final' && login.isProvenBy(outcome.text) ? null : failed('does not prove that it knows the password');
  }

  *#nextAuthentication(): Talk<AuthenticationRequest | PostgresError> {
    const { type, body } = yield* this.#next();
    if (type === 'E') return readError(body);
    if (type !== 'R') throw new BadAnswer('malformed answer: authentication out of order');
    return readAuthentication(body);
  }

  /** From authenticated to ready: settings, and the key to cancel with. */
  *#begin(): Talk<TalkEnd | null> {
    for (;;) {
      const { type, body } = yield* this.#next();
      if (type === 'Z') return null;
      if (type === 'E') return this.#refused(readError(body));
      if (type !== 'S' && type !== 'K') throw new BadAnswer(`malformed answer: message ${type} before the session is ready`);
    }
  }

  *#askRole(): Talk<TalkEnd | null> {
    const result = yield* this.#ask('select pg_catalog.pg_is_in_recovery()');
    if ('code' in result) return this.#failedBy(result, 'role cannot be asked: ', terminateMessage);
    if (result.rows !== 1 || (result.first !== 't' && result.first !== 'f')) return failed('malformed answer to the question for its role', '', terminateMessage);
    return result.first === 't' ? failed('is a replica', '', terminateMessage) : null;
  }

  *#askQuery(): Talk<TalkEnd | null> {
    const result = yield* this.#ask(this.#wanted.query);
    if ('code' in result) return this.#failedBy(result, 'query failed: ', terminateMessage);
    return result.hasColumns && result.rows === 0 ? failed('query found no row', '', terminateMessage) : null;
  }

  *#ask(text: string): Talk<QueryResult | PostgresError> {
    yield* say(queryMessage(text));
    let hasColumns = false;
    let rows = 0;
    let first: string | null = null;
    for (;;) {
      const { type, body } = yield* this.#next();
      switch (type) {
        case 'Z':
          return { hasColumns, rows, first };
        case 'E':
          return readError(body);
        case 'T':
          hasColumns = true;
          break;
        case 'D':
          if (rows++ === 0) first = readFirstColumn(body);
          break;
        // The end of a statement, an empty one, a setting that changed, a notification.
        case 'C': case 'I': case 'S': case 'A':
          break;
        default:
          throw new BadAnswer('GHW'.includes(type) ? 'query copies, which is not spoken here' : `malformed answer: message ${type} in answer to a query`);
      }
    }
  }

  /** Notices may come at any time and mean nothing here. */
  *#next(): Talk<PostgresMessage> {
    for (;;) {
      const message = messageOf(yield* read(messageFraming));
      if (message.type !== 'N') return message;
    }
  }

  #failedBy({ code, text }: PostgresError, before = '', goodbye?: Buffer): TalkEnd {
    if (code === '') return failed('starts no session:', text);
    return this.#isPasswordKnown ? failed(`${before}${code} ${WORDS[code] ?? ''}`, '', goodbye) : failed(`${before}${code}`, text, goodbye);
  }
}
