import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryFs } from '../../../src/platform/memory-fs.js';
import { isTorn, paddingOf } from '../../../src/storage/wal/frame.js';
import { RecordEncoder } from '../../../src/storage/wal/record-encoder.js';
import { readRecords } from '../../../src/storage/wal/record-reader.js';
import {
  decodeSnapshotRecord,
  decodeWalIdentity,
  encodeSnapshotRecord,
  encodeWalIdentity,
  RecordType,
} from '../../../src/storage/wal/record-types.js';
import {
  parseSegmentName,
  segmentName,
  segmentsFrom,
} from '../../../src/storage/wal/segment-name.js';
import { entry, putFile, state, VOTERS } from './support.js';

describe('RecordEncoder', () => {
  it('writes the head of a log byte for byte as etcd 3.4.23 did', () => {
    const encoder = new RecordEncoder();
    encoder.crcRecord();
    const identity = { memberId: 0xc547e751d0f454a7n, clusterId: 0x0a94472cba5d5e39n };
    encoder.record(RecordType.Metadata, encodeWalIdentity(identity));
    const initial = encodeSnapshotRecord({ index: 0, term: 0, confState: undefined });
    encoder.record(RecordType.Snapshot, initial);
    expect(encoder.bytes().toString('hex')).toBe(
      '04000000000000840804100000000000' +
        '1f00000000000081' +
        '080110e1cf88da031a1508a7a9d1879deaf9a3c50110b9bcf5d2cbe591ca0a00' +
        '0e00000000000082080510d6f4b1b0091a04080010000000',
    );
    expect(decodeWalIdentity(encodeWalIdentity(identity))).toEqual(identity);
  });

  it("carries the CRCs of etcd's own fixture", () => {
    const encoder = new RecordEncoder();
    encoder.crcRecord();
    encoder.record(RecordType.Metadata, Buffer.from('somedata'));
    expect(encoder.crc).toBe(0x741f6a05);
    encoder.record(RecordType.Snapshot, Buffer.from('08001000', 'hex'));
    expect(encoder.crc).toBe(0x18206d80);
  });

  it('writes a state with all its fields, and continues a running CRC', () => {
    const encoder = new RecordEncoder(0xa78c6acd);
    encoder.crcRecord();
    encoder.state({ term: 2, vote: 0x8027cae8a0e355ean, commit: 68 });
    const hex = encoder.bytes().toString('hex');
    expect(hex.slice(0, 32)).toBe('0800000000000000080410cdd5b1bc0a');
    expect(hex).toContain('080210eaab8d878addf29380011844');
  });

  it('keeps bytes whatever the sizes, batches and buffer growth', async () => {
    const sizes = fc.array(fc.oneof(fc.nat(40), fc.nat(3000), fc.constant(200_000)), {
      minLength: 1,
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(255), async (lengths, fill) => {
        const encoder = new RecordEncoder();
        const fs = new MemoryFs({ tracked: false });
        encoder.crcRecord();
        for (const [at, length] of lengths.entries()) {
          encoder.entry(entry(at + 1, Buffer.alloc(length, fill)));
          encoder.state(state(at + 1, at));
        }
        expect(encoder.length % 8).toBe(0);
        const segment = segmentName(0, 0);
        await putFile(fs, `/${segment.name}`, encoder.bytes());
        const seen: number[] = [];
        const end = await readRecords(fs, '/', [segment], (record) => {
          if (record.type === RecordType.Entry) seen.push(record.data.length);
        });
        expect(end).toMatchObject({ torn: undefined, offset: encoder.length, crc: encoder.crc });
        expect(seen).toHaveLength(lengths.length);
        encoder.clear();
        expect(encoder.length).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

describe('frames', () => {
  it('pads to eight bytes', () => {
    expect([0, 1, 4, 7, 8, 9].map(paddingOf)).toEqual([0, 7, 4, 1, 0, 7]);
  });

  it('calls a record torn if one of its sectors is all zeros', () => {
    const record = Buffer.alloc(1100, 1);
    expect(isTorn(record, 8)).toBe(false);
    record.fill(0, 504, 1015);
    expect(isTorn(record, 8)).toBe(false);
    record.fill(0, 504, 1016);
    expect(isTorn(record, 8)).toBe(true);
    expect(isTorn(record, 0)).toBe(false);
    expect(isTorn(Buffer.from([1, 0, 0]), 511)).toBe(true);
  });
});

describe('snapshot records', () => {
  it('round-trips, unpacked and with the auto_leave flag written', () => {
    const snapshot = { index: 11, term: 2, confState: VOTERS };
    const bytes = encodeSnapshotRecord(snapshot);
    expect(bytes.toString('hex')).toBe('080b10021a0d08a7a9d1879deaf9a3c5012800');
    expect(decodeSnapshotRecord(bytes)).toEqual(snapshot);
  });
});

describe('segment names', () => {
  it('are padded lower-case hex of sequence and index', () => {
    const name = '0000000000000001-0000000000000045.wal';
    expect(segmentName(1, 0x45)).toEqual({ name, sequence: 1, index: 0x45 });
    expect(parseSegmentName(name)).toEqual({ name, sequence: 1, index: 0x45 });
    for (const wrong of ['0.tmp', `${name}.broken`, name.slice(1), name.replace('45', 'AB')]) {
      expect(parseSegmentName(wrong)).toBeUndefined();
    }
    expect(parseSegmentName('ffffffffffffffff-0000000000000000.wal')).toBeUndefined();
  });

  it('are chosen from the last that begins at or before the snapshot', () => {
    const all = [segmentName(3, 10), segmentName(4, 20), segmentName(5, 30)];
    expect(segmentsFrom(all, 20).map(({ sequence }) => sequence)).toEqual([4, 5]);
    expect(segmentsFrom(all, 29).map(({ sequence }) => sequence)).toEqual([4, 5]);
    expect(segmentsFrom(all, 99).map(({ sequence }) => sequence)).toEqual([5]);
    expect(() => segmentsFrom(all, 9)).toThrow(
      "wal: file not found which matches the snapshot index '9'",
    );
    expect(() => segmentsFrom([], 0)).toThrow('wal: file not found');
    expect(() => segmentsFrom([segmentName(1, 0), segmentName(3, 9)], 5)).toThrow(
      'wal: file sequence numbers (starting from 5) do not increase continuously',
    );
  });
});
