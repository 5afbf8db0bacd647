import { describe, expect, it } from 'vitest';
import { DecodeError } from '../../../src/proto/decode-error.js';
import { BinaryReader, MAX_MESSAGE_DEPTH } from '../../../src/proto/wire/reader.js';

function reader(hex: string): BinaryReader {
  return new BinaryReader(Buffer.from(hex, 'hex'));
}

const MAX_INT64 = 'ffffffffffffffff7f';
const MINUS_ONE = 'ffffffffffffffffff01';
const MIN_INT64 = '80808080808080808001';

describe('BinaryReader', () => {
  it('reads 64-bit integers', () => {
    expect(reader(MAX_INT64).int64()).toBe((1n << 63n) - 1n);
    expect(reader(MINUS_ONE).int64()).toBe(-1n);
    expect(reader(MINUS_ONE).uint64()).toBe((1n << 64n) - 1n);
    expect(reader(MIN_INT64).int64()).toBe(-(1n << 63n));
    expect(reader('80808080808020').int64()).toBe(1n << 47n);
    expect(reader('ac02').uint64()).toBe(300n);
  });

  it('saturates the numbers of requests and refuses those of stored data', () => {
    expect(reader(MAX_INT64).int64Saturated()).toBe(Number.MAX_SAFE_INTEGER);
    expect(reader(MIN_INT64).int64Saturated()).toBe(-Number.MAX_SAFE_INTEGER);
    expect(reader(MINUS_ONE).int64Saturated()).toBe(-1);
    expect(reader(MINUS_ONE).uint64Saturated()).toBe(Number.MAX_SAFE_INTEGER);
    expect(reader(MINUS_ONE).int64Safe()).toBe(-1);
    expect(() => reader(MINUS_ONE).uint64Safe()).toThrow(DecodeError);
    expect(() => reader(MAX_INT64).int64Safe()).toThrow(DecodeError);
    expect(reader('ffffffffffffff0f').uint64Safe()).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => reader('8080808080808010').uint64Safe()).toThrow(DecodeError);
  });

  it('takes the low 32 bits of longer varints', () => {
    expect(reader(MINUS_ONE).int32()).toBe(-1);
    expect(reader(MINUS_ONE).uint32()).toBe(0xffff_ffff);
    expect(reader('80808080808020').bool()).toBe(true);
    expect(reader('00').bool()).toBe(false);
  });

  it.each([
    ['a varint that ends early', '80', (r: BinaryReader) => r.uint64()],
    ['a varint of 11 bytes', 'ffffffffffffffffffff01', (r: BinaryReader) => r.uint64()],
    ['a varint of 65 bits', 'ffffffffffffffffff02', (r: BinaryReader) => r.uint64()],
    ['an empty input', '', (r: BinaryReader) => r.uint32()],
    ['field number 0', '02', (r: BinaryReader) => r.tag()],
    ['field number 0 in two bytes', '8000', (r: BinaryReader) => r.tag()],
    ['a field number beyond 29 bits', '8080808010', (r: BinaryReader) => r.tag()],
    ['wire type 6', '0e', (r: BinaryReader) => r.tag()],
    ['wire type 7', '8f01', (r: BinaryReader) => r.tag()],
    ['bytes longer than the input', '0501', (r: BinaryReader) => r.bytes()],
    ['a length beyond 2^32', 'ffffffff7f', (r: BinaryReader) => r.bytes()],
    ['invalid UTF-8', '02c328', (r: BinaryReader) => r.string()],
    ['a surrogate in UTF-8', '03eda080', (r: BinaryReader) => r.string()],
    ['skipping a truncated 64-bit field', '01020304050607', (r: BinaryReader) => r.skip(0x09)],
    ['skipping a truncated 32-bit field', '010203', (r: BinaryReader) => r.skip(0x0d)],
    ['a group that does not end', '0801', (r: BinaryReader) => r.skip(0x0b)],
    ['a group that ends as another', '14', (r: BinaryReader) => r.skip(0x0b)],
    ['the end of no group', '', (r: BinaryReader) => r.skip(0x0c)],
  ])('refuses %s', (_name, hex, read) => {
    expect(() => read(reader(hex))).toThrow(DecodeError);
  });

  it('skips groups with what is in them', () => {
    const nested = reader(
      '0801' + '1314' + '0a02ffff' + '210000000000000000' + '1d00000000' + '0c' + '05',
    );
    nested.skip(0x0b);
    expect(nested.uint32()).toBe(5);
  });

  it('reads text of any script', () => {
    expect(reader('06e697a5e69cac').string()).toBe('日本');
    expect(reader('03efbbbf').string()).toBe('\ufeff');
    expect(reader('02c328').stringUnchecked()).toBe('\ufffd(');
  });

  it('does not leave the message it is in', () => {
    const inner = reader('0a02ffff');
    inner.pos = 2;
    const outerEnd = inner.len;
    expect(inner.enter(1)).toBe(3);
    expect(() => inner.uint32()).toThrow('truncated varint');
    inner.leave(outerEnd);
    expect(() => inner.enter(3)).toThrow('truncated message');
  });

  it('bounds the depth of messages and groups', () => {
    const groups = Buffer.alloc(MAX_MESSAGE_DEPTH + 2, 0x0b);
    expect(() => new BinaryReader(groups).skip(0x0b)).toThrow('nested too deeply');
  });

  it('says where the fault is', () => {
    const late = reader('0a02ffff80');
    late.pos = 4;
    try {
      late.uint32();
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ reason: 'truncated varint', offset: 4, file: undefined });
    }
    expect(new DecodeError('bad', 7, 'a.wal').message).toBe('bad at offset 7 of a.wal');
  });
});
