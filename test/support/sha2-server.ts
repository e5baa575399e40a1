/**
 * A stand-in for MySQL's caching_sha2_password, which neither MariaDB nor Debian
 * has: greets, switches to the plug-in, and lets in who knows the password. What
 * goes over the wire is read, written and computed by mysql2's own code, not by
 * ours; the decision and the cache are here, after MySQL's manual.
 */
import { constants, generateKeyPairSync, privateDecrypt } from 'node:crypto';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';

interface Packet {
  sequenceId: number;
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  readonly offset: number;
  writeHeader(sequenceId: number): void;
}
type Writer<Args extends unknown[]> = new (...args: Args) => { toPacket(sequenceId?: number): Packet };

const require = createRequire(import.meta.url);
const library = (path: string): unknown => require(join(dirname(require.resolve('mysql2/package.json')), 'lib', path)) as unknown;
const PacketParser = library('packet_parser.js') as new (onPacket: (packet: Packet) => void) => { execute(bytes: Buffer): void };
const Handshake = library('packets/handshake.js') as new (args: object) => InstanceType<Writer<[]>>;
const HandshakeResponse = library('packets/handshake_response.js') as { fromPacket(packet: Packet, capabilities: number): { user: string } };
const AuthSwitchRequest = library('packets/auth_switch_request.js') as Writer<[{ pluginName: string; pluginData: Buffer }]>;
const MoreToSay = library('packets/auth_switch_request_more_data.js') as Writer<[Buffer]>;
const outcomes = library('packets/index.js') as Record<'OK' | 'Error', { toPacket(args: object, encoding: string): Packet }>;
const plugin = library('auth_plugins/caching_sha2_password.js') as { calculateToken(password: string, scramble: Buffer): Buffer };

const PLUGIN = 'caching_sha2_password';
/** PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH, CONNECT_WITH_DB, LONG_PASSWORD. */
const CAPABILITIES = 0x8a209;
const SCRAMBLE = Buffer.from('8 bytes:and twelve m');
const keys = generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } });

export class Sha2Server {
  readonly #listening: Server;
  readonly #password: string;
  /** The password was seen since it was last forgotten: a hash of it is enough. */
  isCached = false;
  /** How logins went, and how connections ended: `fast`, `full`, `refused`, `quit`, `lost`. */
  readonly events: string[] = [];

  private constructor(password: string) {
    this.#password = password;
    this.#listening = createServer((socket) => this.#serve(socket));
  }

  static async start(password: string): Promise<Sha2Server> {
    const server = new Sha2Server(password);
    server.#listening.listen(0, '127.0.0.1');
    await once(server.#listening, 'listening');
    return server;
  }

  get port(): number {
    return (this.#listening.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    await new Promise((resolve) => this.#listening.close(resolve));
  }

  #serve(socket: Socket): void {
    const talk = this.#talk();
    let sequence = 0;
    const send = (packet: Packet): void => {
      packet.writeHeader(sequence++);
      socket.write(packet.buffer.subarray(packet.start, packet.end));
    };
    const parser = new PacketParser((packet) => {
      sequence = packet.sequenceId + 1;
      take(talk.next(packet));
    });
    const take = ({ value, done }: IteratorResult<Packet[], void>): void => {
      if (done === true) socket.end();
      else value.forEach(send);
    };
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (!['quit', 'refused'].includes(this.events.at(-1) ?? '')) this.events.push('lost');
    });
    socket.on('data', (bytes: Buffer) => parser.execute(bytes));
    take(talk.next(undefined as unknown as Packet));
  }

  *#talk(): Generator<Packet[], void, Packet> {
    const greeting = new Handshake({ protocolVersion: 10, serverVersion: '8.0.36', connectionId: 1, statusFlags: 2, characterSet: 45, capabilityFlags: CAPABILITIES, authPluginData1: SCRAMBLE.subarray(0, 8), authPluginData2: SCRAMBLE.subarray(8) });
    const { user } = HandshakeResponse.fromPacket(yield [greeting.toPacket(0)], CAPABILITIES);
    const token = payloadOf(yield [new AuthSwitchRequest({ pluginName: PLUGIN, pluginData: Buffer.concat([SCRAMBLE, Buffer.from([0])]) }).toPacket()]);
    const isKnown = token.equals(plugin.calculateToken(this.#password, SCRAMBLE));
    let letIn: Packet[] | null = null;
    if (this.isCached && isKnown) {
      this.events.push('fast');
      letIn = [new MoreToSay(Buffer.from([3])).toPacket()];
    } else if (this.#isPassword(yield* this.#askForPassword())) {
      this.events.push('full');
      this.isCached = true;
      letIn = [];
    }
    if (user !== 'weir' || letIn === null) {
      this.events.push('refused');
      yield [outcomes.Error.toPacket({ code: 1045, message: `Access denied for user '${user}'` }, 'utf8')];
      return;
    }
    const command = payloadOf(yield [...letIn, outcomes.OK.toPacket({}, 'utf8')]);
    if (command[0] === 1) this.events.push('quit');
  }

  *#askForPassword(): Generator<Packet[], Buffer, Packet> {
    const request = payloadOf(yield [new MoreToSay(Buffer.from([4])).toPacket()]);
    if (!request.equals(Buffer.from([2]))) return Buffer.alloc(0);
    return payloadOf(yield [new MoreToSay(Buffer.from(keys.publicKey)).toPacket()]);
  }

  #isPassword(encrypted: Buffer): boolean {
    if (encrypted.length === 0) return false;
    const masked = privateDecrypt({ key: keys.privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING }, encrypted);
    return Buffer.from(masked.map((byte, i) => byte ^ SCRAMBLE[i % SCRAMBLE.length]!)).toString() === `${this.#password}\0`;
  }
}

function payloadOf(packet: Packet): Buffer {
  return Buffer.from(packet.buffer.subarray(packet.start + 4, packet.end));
}
