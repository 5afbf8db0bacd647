import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeError } from '../../src/proto/decode-error.js';
import * as authpb from '../../src/proto/gen/authpb/auth.js';
import * as etcdserver from '../../src/proto/gen/etcdserverpb/etcdserver.js';
import * as internal from '../../src/proto/gen/etcdserverpb/raft_internal.js';
import * as rpc from '../../src/proto/gen/etcdserverpb/rpc.js';
import * as healthpb from '../../src/proto/gen/health/v1/health.js';
import * as leasepb from '../../src/proto/gen/leasepb/lease.js';
import * as membershippb from '../../src/proto/gen/membershippb/membership.js';
import * as mvccpb from '../../src/proto/gen/mvccpb/kv.js';
import * as raftpb from '../../src/proto/gen/raftpb/raft.js';
import * as snappb from '../../src/proto/gen/snappb/snap.js';
import * as electionpb from '../../src/proto/gen/v3electionpb/election.js';
import * as lockpb from '../../src/proto/gen/v3lockpb/lock.js';
import * as walpb from '../../src/proto/gen/walpb/record.js';
import { METHODS_BY_PATH, SERVICES } from '../../src/proto/services.js';
import { expectOnlyDecodeErrors } from './support/arbitraries.js';
import { txnRequest, watchResponse } from './support/messages.js';

type AnyCodec = { decode(input: Uint8Array): unknown };

const CODECS = [
  authpb,
  etcdserver,
  internal,
  rpc,
  healthpb,
  leasepb,
  membershippb,
  mvccpb,
  raftpb,
  snappb,
  electionpb,
  lockpb,
  walpb,
].flatMap((module): [string, AnyCodec][] =>
  Object.entries(module).flatMap(([name, value]): [string, AnyCodec][] =>
    'decode' in value ? [[name, value]] : [],
  ),
);

function hex(bytes: Buffer): string {
  return bytes.toString('hex');
}

function bytes(text: string): Buffer {
  return Buffer.from(text, 'hex');
}

describe('proto3 messages', () => {
  it('leave zero values out, but not a zero in a union or an empty submessage', () => {
    expect(rpc.PutRequest.encode(rpc.PutRequest.create()).finish()).toHaveLength(0);
    const compare = rpc.Compare.create({ targetUnion: { $case: 'version', value: 0 } });
    expect(hex(rpc.Compare.encode(compare).finish())).toBe('2000');
    expect(rpc.Compare.decode(bytes('2000')).targetUnion).toEqual({ $case: 'version', value: 0 });
    const empty = rpc.TxnResponse.create({ header: rpc.ResponseHeader.create() });
    expect(hex(rpc.TxnResponse.encode(empty).finish())).toBe('0a00');
    const user = authpb.User.create({ options: authpb.UserAddOptions.create() });
    expect(hex(authpb.User.encode(user).finish())).toBe('2200');
  });

  it('write negative numbers in ten bytes', () => {
    const response = rpc.HashKVResponse.create({ compactRevision: -1 });
    const encoded = rpc.HashKVResponse.encode(response).finish();
    expect(hex(encoded)).toBe('18ffffffffffffffffff01');
    expect(rpc.HashKVResponse.decode(encoded)).toEqual(response);
  });

  it('keep ids whole and saturate numbers', () => {
    const member = rpc.Member.create({ ID: 0xffff_ffff_ffff_fffen });
    expect(rpc.Member.decode(rpc.Member.encode(member).finish())).toEqual(member);
    const largest = rpc.RangeRequest.decode(bytes('50ffffffffffffffff7f'));
    expect(largest.minModRevision).toBe(Number.MAX_SAFE_INTEGER);
    const grant = rpc.LeaseGrantRequest.decode(bytes('10ffffffffffffffffff01'));
    expect(grant.ID).toBe(-1n);
  });

  it('accept fields in any order, packed or not, and skip unknown ones', () => {
    const request = rpc.WatchCreateRequest.decode(
      bytes('9a06016138012800280132026200' + '2a020100'),
    );
    expect(request).toEqual(rpc.WatchCreateRequest.create({ watchId: 1n, filters: [0, 1, 1, 0] }));
  });

  it('keep numbers an enum does not name', () => {
    expect(rpc.RangeRequest.decode(bytes('2863')).sortOrder).toBe(99);
  });

  it('refuse invalid UTF-8', () => {
    expect(() => rpc.AuthenticateRequest.decode(bytes('0a02c328'))).toThrow(
      'string field contains invalid UTF-8',
    );
  });

  it('refuse a submessage that reaches beyond its parent', () => {
    // ResponseOp of 3 bytes holds a put response that claims 4.
    expect(() => rpc.TxnResponse.decode(bytes('1a03' + '120412' + '0000'))).toThrow(DecodeError);
  });

  it('nest as deeply as transactions may, but not without end', () => {
    let request = rpc.TxnRequest.create();
    const nest = (levels: number): Buffer => {
      request = rpc.TxnRequest.create();
      for (let level = 0; level < levels; level++) {
        request = rpc.TxnRequest.create({
          success: [{ request: { $case: 'requestTxn', value: request } }],
        });
      }
      return rpc.TxnRequest.encode(request).finish();
    };
    expect(rpc.TxnRequest.decode(nest(400))).toEqual(request);
    expect(() => rpc.TxnRequest.decode(nest(600))).toThrow('nested too deeply');
  });
});

describe('proto2 messages', () => {
  it('write what is set, zero or not', () => {
    const entry = raftpb.Entry.create({ Type: 0, Term: 2, Index: 2 });
    expect(hex(raftpb.Entry.encode(entry).finish())).toBe('080010021802');
    expect(raftpb.Entry.decode(bytes('10021802'))).toEqual(
      raftpb.Entry.create({ Term: 2, Index: 2 }),
    );
    expect(hex(walpb.Snapshot.encode({ index: 0, term: 0 }).finish())).toBe('08001000');
  });

  it('write lists of ids unpacked and read both', () => {
    const state = raftpb.ConfState.create({ voters: [1n, 300n], autoLeave: false });
    expect(hex(raftpb.ConfState.encode(state).finish())).toBe('080108ac022800');
    expect(raftpb.ConfState.decode(bytes('0a0301ac022800'))).toEqual(state);
  });

  it('read the constant with which 3.4 ends every raft message', () => {
    const message = raftpb.Message.decode(bytes('08084a0a12080a02280010001800'));
    expect(message.type).toBe(raftpb.MessageType.MsgHeartbeat);
    expect(message.snapshot?.metadata).toEqual({
      confState: raftpb.ConfState.create({ autoLeave: false }),
      index: 0,
      term: 0,
    });
  });

  it('refuse indexes no log can have', () => {
    expect(() => raftpb.Entry.decode(bytes('18ffffffffffffffff7f'))).toThrow(DecodeError);
  });
});

describe('malformed input', () => {
  it('gives DecodeError alone, whatever the message', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (random) => {
        for (const [, codec] of CODECS) {
          expectOnlyDecodeErrors(Buffer.from(random).subarray(0, 2), codec.decode);
          try {
            codec.decode(random);
          } catch (error) {
            expect(error).toBeInstanceOf(DecodeError);
          }
        }
      }),
      { numRuns: 50 },
    );
    expect(CODECS.length).toBeGreaterThan(140);
  });

  it('gives DecodeError alone for what was well-formed once', () => {
    fc.assert(
      fc.property(txnRequest, watchResponse, (request, response) => {
        expectOnlyDecodeErrors(
          rpc.TxnRequest.encode(request).finish().subarray(0, 300),
          rpc.TxnRequest.decode,
        );
        const encoded = rpc.WatchResponse.encode(response).finish();
        expect(rpc.WatchResponse.decode(encoded)).toEqual(response);
        expectOnlyDecodeErrors(encoded.subarray(0, 300), rpc.WatchResponse.decode);
      }),
      { numRuns: 20 },
    );
  });
});

describe('services', () => {
  it('list every method once', () => {
    const paths = Object.values(SERVICES).flatMap((service) =>
      Object.values(service).map((method) => method.path),
    );
    expect(new Set(paths).size).toBe(paths.length);
    expect(METHODS_BY_PATH.size).toBe(paths.length);
    expect(METHODS_BY_PATH.get('/etcdserverpb.KV/Compact')).toBe(SERVICES.kv.compact);
    expect(METHODS_BY_PATH.get('/etcdserverpb.Watch/Watch')?.kind).toBe('bidiStream');
    expect(METHODS_BY_PATH.get('/grpc.health.v1.Health/Watch')?.kind).toBe('serverStream');
    expect(SERVICES.auth.userAdd.request).toBe(rpc.AuthUserAddRequest);
  });
});
