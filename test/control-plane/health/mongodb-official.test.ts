/** The MongoDB probe and its BSON reader against the official driver's codecs. */
import fc from 'fast-check';
import { BSON, MongoClient, ServerApiVersion } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readBsonFields } from '../../../src/control-plane/health/bson-fields.ts';
import { mongodbProbe } from '../../../src/control-plane/health/mongodb-probe.ts';
import type { ProbeResult } from '../../../src/control-plane/health/probe.ts';
import { MongodbStandIn } from '../../support/mongodb-stand-in.ts';
import { probeOnce } from '../../support/probe-once.ts';

const member = { setName: 'rs0', setVersion: 4, hosts: ['10.0.0.1:27017', '10.0.0.2:27017'], primary: '10.0.0.1:27017', me: '10.0.0.1:27017', maxBsonObjectSize: 16_777_216, maxMessageSizeBytes: 48_000_000, maxWriteBatchSize: 100_000, localTime: new Date(0), logicalSessionTimeoutMinutes: 30, minWireVersion: 0, maxWireVersion: 25, readOnly: false, ok: 1 };
const primary = { isWritablePrimary: true, secondary: false, electionId: new BSON.ObjectId('7fffffff0000000000000009'), ...member };
const secondary = { isWritablePrimary: false, secondary: true, ...member };

let standIn: MongodbStandIn;
beforeAll(async () => {
  standIn = await MongodbStandIn.start(primary);
});
afterAll(() => standIn.backend.stop());

const probe = (hello: BSON.Document, role?: 'primary'): Promise<ProbeResult> => {
  standIn.hello = hello;
  return probeOnce(mongodbProbe, standIn.port, role === undefined ? {} : { role });
};

it('is a stand-in that the official driver takes for a server', async () => {
  standIn.hello = primary;
  const client = new MongoClient(`mongodb://127.0.0.1:${standIn.port}/?directConnection=true`, { serverApi: ServerApiVersion.v1, monitorCommands: false });
  expect(await client.db('admin').command({ ping: 1 })).toMatchObject({ ok: 1 });
  await client.close();
  await standIn.backend.idle();
});

describe('a member', () => {
  it('is asked what the driver reads as hello, and closed without a reset', async () => {
    standIn.commands.length = 0;
    const errors = standIn.backend.errors.length;
    expect((await probe(primary)).ok).toBe(true);
    expect(standIn.commands).toEqual([{ hello: 1, $db: 'admin' }]);
    await standIn.backend.idle();
    expect(standIn.backend.errors.slice(errors)).toEqual([]);
  });

  it('passes by its role', async () => {
    expect((await probe(secondary)).ok).toBe(true);
    expect(await probe(secondary, 'primary')).toEqual({ ok: false, reason: 'is a secondary' });
    expect((await probe(primary, 'primary')).ok).toBe(true);
  });

  it('that refuses says why', async () => {
    expect(await probe({ ok: 0, errmsg: 'no such command: hello', code: 59, codeName: 'CommandNotFound' })).toEqual({ ok: false, reason: 'refused hello: no such command: hello (CommandNotFound)' });
  });
});

/** What the reader should make of a document that the official codec has written. */
function scalarsOf(document: BSON.Document): Map<string, unknown> {
  const read = BSON.deserialize(BSON.serialize(document));
  const scalars = Object.entries(read).map(([name, value]): [string, unknown] => [name, value instanceof BSON.ObjectId ? value.toHexString() : value]);
  return new Map(scalars.filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value)));
}

describe('the reader of BSON', () => {
  const name = fc.string({ minLength: 1, maxLength: 8 }).filter((text) => !text.includes('\0') && text !== '__proto__');
  const leaf = fc.oneof(
    fc.double({ noNaN: true }), fc.integer(), fc.boolean(), fc.string(), fc.constant(null),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array({ minLength: 12, maxLength: 12 }).map((bytes) => new BSON.ObjectId(bytes)),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => new BSON.Binary(bytes)),
    fc.integer().map((value) => BSON.Long.fromNumber(value)),
    fc.constantFrom(new BSON.MinKey(), new BSON.MaxKey(), new BSON.Timestamp({ t: 1, i: 2 }), BSON.Decimal128.fromString('1.5'), new BSON.BSONRegExp('a.*', 'i'), new BSON.Code('f()'), new BSON.Code('f()', { a: 1 }), new BSON.BSONSymbol('s'), new BSON.DBRef('c', new BSON.ObjectId('7fffffff0000000000000009'))),
  );
  const document = fc.dictionary(name, fc.oneof(leaf, fc.array(leaf, { maxLength: 3 }), fc.dictionary(name, leaf, { maxKeys: 3 })), { maxKeys: 8 });

  it('finds the scalars that the official codec has written, and passes over the rest', () => {
    fc.assert(
      fc.property(document, (fields) => {
        expect(new Map(readBsonFields(Buffer.from(BSON.serialize(fields))))).toEqual(new Map([...scalarsOf(fields)].filter(([key]) => !(fields[key] instanceof BSON.BSONSymbol))));
      }),
      { numRuns: 300 },
    );
  });

  it('refuses each of them cut short', () => {
    fc.assert(
      fc.property(document, fc.nat(), (fields, cut) => {
        const bytes = Buffer.from(BSON.serialize(fields));
        expect(() => readBsonFields(bytes.subarray(0, cut % bytes.length))).toThrow('not BSON');
      }),
    );
  });
});
