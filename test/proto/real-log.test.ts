import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { DecodeError } from '../../src/proto/decode-error.js';
import { Metadata, Request } from '../../src/proto/gen/etcdserverpb/etcdserver.js';
import { InternalRaftRequest } from '../../src/proto/gen/etcdserverpb/raft_internal.js';
import { ConfChange, Entry, HardState, Snapshot } from '../../src/proto/gen/raftpb/raft.js';
import { snapshot as SnapshotFrame } from '../../src/proto/gen/snappb/snap.js';
import { Record, Snapshot as SnapshotRecord } from '../../src/proto/gen/walpb/record.js';
import { decodeEntry } from '../../src/proto/hot/entry.js';
import {
  decodeInternalRaftRequest,
  encodeInternalRequest,
} from '../../src/proto/hot/internal-request.js';
import { decodeRecord } from '../../src/proto/hot/record.js';
import type { MessageCodec } from '../../src/proto/wire/message.js';
import { sharedPath } from '../support/shared.js';

/** Larger than a WAL segment, 64 000 000 bytes. */
const MAX_FILE_BYTES = 80_000_000;

function member(archive: string, file: string): Buffer {
  return execFileSync('tar', ['-xzOf', archive, `data/member/${file}`], {
    maxBuffer: MAX_FILE_BYTES,
  });
}

/** The records of a segment, without their frames. */
function* frames(wal: Buffer): Generator<Buffer> {
  for (let offset = 0; offset + 8 <= wal.length; ) {
    const length = wal.readUInt32LE(offset);
    const top = wal.readUInt32LE(offset + 4);
    if (length === 0 && top === 0) {
      return;
    }
    yield wal.subarray(offset + 8, offset + 8 + length);
    offset += 8 + length + (top >>> 31 === 1 ? (top >>> 24) & 7 : 0);
  }
}

function expectRoundTrip<T>(codec: MessageCodec<T>, bytes: Buffer): T {
  const message = codec.decode(bytes);
  expect(codec.encode(message).finish().equals(bytes)).toBe(true);
  return message;
}

/** Checks the payload of a normal entry; tells what it held. */
function checkPayload(data: Buffer): string {
  let request: ReturnType<typeof decodeInternalRaftRequest>;
  try {
    request = decodeInternalRaftRequest(data);
  } catch (error) {
    expect(error).toBeInstanceOf(DecodeError);
    return `v2 ${expectRoundTrip(Request, data).Method}`;
  }
  expectRoundTrip(InternalRaftRequest, data);
  const { header, kind } = request;
  if (header !== undefined && kind !== undefined) {
    expect(encodeInternalRequest(header, kind, request.request).equals(data)).toBe(true);
  }
  return String(kind);
}

describe.each(['v3.4.23', 'v3.5.30'])('the log of a real server, %s', (version) => {
  const archive = sharedPath('fixtures', `${version}.data-dir.tar.gz`);

  it.skipIf(archive === undefined)('is decoded and encoded without the loss of a bit', () => {
    const held = new Set<string>();
    const types = new Set<number>();
    const wal = member(archive ?? '', 'wal/0000000000000000-0000000000000000.wal');
    for (const frame of frames(wal)) {
      const record = decodeRecord(frame);
      expectRoundTrip(Record, frame);
      types.add(record.type);
      if (record.type === 1) {
        expectRoundTrip(Metadata, record.data);
      } else if (record.type === 2) {
        const entry = decodeEntry(record.data);
        const { Type, Term, Index, Data } = expectRoundTrip(Entry, record.data);
        expect(entry).toEqual({
          type: Type,
          term: Term,
          index: Index,
          data: Data ?? Buffer.alloc(0),
        });
        if (entry.type === 1) {
          expectRoundTrip(ConfChange, entry.data);
        } else if (entry.data.length > 0) {
          held.add(checkPayload(entry.data));
        }
      } else if (record.type === 3) {
        expectRoundTrip(HardState, record.data);
      } else if (record.type === 5) {
        expectRoundTrip(SnapshotRecord, record.data);
      }
    }
    expect([...types].sort()).toEqual([1, 2, 3, 4, 5]);
    expect([...held]).toEqual(expect.arrayContaining(['v2 PUT', 'put', 'txn', 'leaseGrant']));
  });

  it.skipIf(archive === undefined)('ends in a snapshot that is decoded as well', () => {
    const file = member(archive ?? '', 'snap/0000000000000002-00000000000000c9.snap');
    const frame = expectRoundTrip(SnapshotFrame, file);
    const { metadata } = expectRoundTrip(Snapshot, frame.data ?? Buffer.alloc(0));
    expect(metadata).toMatchObject({ index: 0xc9, term: 2 });
    expect(metadata?.confState?.voters).toHaveLength(1);
  });
});
