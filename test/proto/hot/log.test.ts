import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeError } from '../../../src/proto/decode-error.js';
import { Request } from '../../../src/proto/gen/etcdserverpb/etcdserver.js';
import { InternalRaftRequest } from '../../../src/proto/gen/etcdserverpb/raft_internal.js';
import {
  AuthUserAddRequest,
  DeleteRangeRequest,
  PutRequest,
  TxnRequest,
} from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { Entry } from '../../../src/proto/gen/raftpb/raft.js';
import { Record } from '../../../src/proto/gen/walpb/record.js';
import {
  decodeEntry,
  type EntryFields,
  encodeEntry,
  encodeEntryInto,
  entryEncodedSize,
} from '../../../src/proto/hot/entry.js';
import {
  decodeInternalRaftRequest,
  decodeProposal,
  encodeInternalRequest,
} from '../../../src/proto/hot/internal-request.js';
import { decodeRecord } from '../../../src/proto/hot/record.js';
import { bytes, expectOnlyDecodeErrors, safeNumber, text, uint64 } from '../support/arbitraries.js';
import { putRequest } from '../support/messages.js';

describe('raftpb.Entry', () => {
  const entry: fc.Arbitrary<EntryFields> = fc.record({
    type: fc.constantFrom(0, 1, 2),
    term: safeNumber,
    index: safeNumber,
    data: bytes,
  });

  it('has the presence of etcd 3.7', () => {
    fc.assert(
      fc.property(entry, fc.nat(9), (fields, room) => {
        const { type, term, index, data } = fields;
        const expected = Entry.encode(
          Entry.create({
            Type: type === 0 ? undefined : type,
            Term: term,
            Index: index,
            Data: data.length === 0 ? undefined : data,
          }),
        ).finish();
        expect(encodeEntry(fields)).toEqual(expected);
        const buffer = Buffer.alloc(room + entryEncodedSize(fields));
        expect(encodeEntryInto(buffer, room, fields)).toBe(buffer.length);
        expect(buffer.subarray(room)).toEqual(expected);
        expect(decodeEntry(expected)).toEqual(fields);
      }),
    );
    const empty = { type: 0, term: 2, index: 2, data: Buffer.alloc(0) } as const;
    expect(encodeEntry(empty).toString('hex')).toBe('10021802');
  });

  it('is read as etcd up to 3.6 writes it', () => {
    expect(decodeEntry(Buffer.from('080010021802', 'hex'))).toEqual({
      type: 0,
      term: 2,
      index: 2,
      data: Buffer.alloc(0),
    });
    expect(decodeEntry(Buffer.from('0801100218032200', 'hex')).type).toBe(1);
  });

  it('fails with DecodeError alone on malformed bytes', () => {
    fc.assert(
      fc.property(entry, (fields) => expectOnlyDecodeErrors(encodeEntry(fields), decodeEntry)),
      { numRuns: 30 },
    );
    expect(() => decodeEntry(Buffer.from('10ffffffffffffffffff01', 'hex'))).toThrow(
      'number beyond 2^53',
    );
  });
});

describe('walpb.Record', () => {
  const record = fc.record({
    type: safeNumber,
    crc: fc.nat({ max: 0x7fff_ffff }).map((value) => value * 2 + 1),
    data: bytes,
  });

  it('is read as the generated codec writes it', () => {
    fc.assert(
      fc.property(record, ({ type, crc, data }) => {
        const encoded = Record.encode(
          Record.create({ type, crc, data: data.length === 0 ? undefined : data }),
        ).finish();
        expect(decodeRecord(encoded)).toEqual({ type, crc, data });
        expectOnlyDecodeErrors(encoded.subarray(0, 40), decodeRecord);
      }),
    );
  });
});

describe('InternalRaftRequest', () => {
  const header = fc.record({ id: uint64, username: text, authRevision: safeNumber });

  it('is spliced as the generated codec encodes it', () => {
    fc.assert(
      fc.property(header, putRequest, text, ({ id, username, authRevision }, put, name) => {
        const encodedHeader = { id, username, authRevision };
        const generatedHeader = { ID: id, username, authRevision };

        const putBytes = PutRequest.encode(put).finish();
        const encodedPut = encodeInternalRequest(encodedHeader, 'put', putBytes);
        const expectedPut = InternalRaftRequest.create({ header: generatedHeader, put });
        expect(encodedPut).toEqual(InternalRaftRequest.encode(expectedPut).finish());
        const decoded = decodeInternalRaftRequest(encodedPut);
        expect(decoded).toEqual({ id, header: encodedHeader, kind: 'put', request: putBytes });
        expect(decoded.request.buffer).toBe(encodedPut.buffer);

        const authUserAdd = AuthUserAddRequest.create({ name });
        const userBytes = AuthUserAddRequest.encode(authUserAdd).finish();
        const encodedUser = encodeInternalRequest(encodedHeader, 'authUserAdd', userBytes);
        const expectedUser = InternalRaftRequest.create({ header: generatedHeader, authUserAdd });
        expect(encodedUser).toEqual(InternalRaftRequest.encode(expectedUser).finish());
        expect(decodeInternalRaftRequest(encodedUser).kind).toBe('authUserAdd');
      }),
    );
  });

  it('knows every request the generated codec knows', () => {
    const { ID: _id, header: _header, ...requests } = InternalRaftRequest.create();
    for (const kind of Object.keys(requests) as (keyof typeof requests)[]) {
      const encoded = encodeInternalRequest(
        { id: 1n, username: '', authRevision: 0 },
        kind,
        Buffer.alloc(0),
      );
      expect(InternalRaftRequest.decode(encoded)[kind], kind).toBeDefined();
      expect(decodeInternalRaftRequest(encoded).kind).toBe(kind);
    }
  });

  it('prefers the legacy id', () => {
    const encode = (fields: Partial<InternalRaftRequest>): Buffer =>
      InternalRaftRequest.encode(InternalRaftRequest.create(fields)).finish();
    const requestHeader = { ID: 5n, username: '', authRevision: 0 };
    expect(decodeInternalRaftRequest(encode({ ID: 9n, header: requestHeader })).id).toBe(9n);
    expect(decodeInternalRaftRequest(encode({ header: requestHeader })).id).toBe(5n);
    expect(decodeInternalRaftRequest(encode({}))).toMatchObject({ id: 0n, kind: undefined });
  });

  it('refuses every bare v2 request', () => {
    const v2 = fc.record({
      ID: uint64,
      Method: fc.constantFrom('PUT', 'SYNC', 'GET', 'QGET', 'POST', 'DELETE', ''),
      Path: fc.constantFrom('/0/members/8e9e05c52164694d/attributes', '/0/version', ''),
      Val: text,
      Dir: fc.boolean(),
      PrevValue: text,
      PrevIndex: safeNumber,
      Expiration: uint64.map((value) => BigInt.asIntN(64, value)),
      Wait: fc.boolean(),
      Since: safeNumber,
      Recursive: fc.boolean(),
      Sorted: fc.boolean(),
      Quorum: fc.boolean(),
      Time: uint64.map((value) => BigInt.asIntN(64, value)),
      Stream: fc.boolean(),
    });
    fc.assert(
      fc.property(v2, (request) => {
        const encoded = Request.encode(request).finish();
        expect(Request.decode(encoded)).toMatchObject(request);
        expect(() => decodeInternalRaftRequest(encoded)).toThrow(DecodeError);
      }),
    );
  });

  it('fails with DecodeError alone on malformed bytes', () => {
    fc.assert(
      fc.property(header, putRequest, (fields, put) => {
        const encoded = encodeInternalRequest(fields, 'put', PutRequest.encode(put).finish());
        expectOnlyDecodeErrors(encoded, decodeInternalRaftRequest);
      }),
      { numRuns: 30 },
    );
  });
});

describe('a proposal', () => {
  const fromHex = (hex: string): Buffer => Buffer.from(hex, 'hex');

  it('is logged without an empty range_end, which old members take for "from key"', () => {
    const single = decodeProposal(DeleteRangeRequest, fromHex('0a016b1200'));
    expect(single.bytes).toEqual(fromHex('0a016b'));
    expect(single.message.key.toString()).toBe('k');
    const nested = decodeProposal(TxnRequest, fromHex('12071a050a016b1200'));
    expect(nested.bytes).toEqual(fromHex('12051a030a016b'));
    const compare = decodeProposal(TxnRequest, fromHex('0a061a016b820400'));
    expect(compare.bytes).toEqual(fromHex('0a031a016b'));
  });

  it('is logged as it came otherwise, with fields nobody knows', () => {
    fc.assert(
      fc.property(putRequest, (put) => {
        const sent = Buffer.concat([PutRequest.encode(put).finish(), fromHex('f80105')]);
        const proposal = decodeProposal(PutRequest, sent);
        expect(proposal.message).toEqual(put);
        expect(proposal.bytes).toBe(sent);
      }),
    );
  });
});
