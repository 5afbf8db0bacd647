import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeError } from '../../../src/proto/decode-error.js';
import { KeyValue } from '../../../src/proto/gen/mvccpb/kv.js';
import {
  createRevisionOf,
  encodeDeletedKeyValue,
  encodeKeyValue,
  encodeTombstone,
  keyOf,
  keyOfChecked,
  leaseOf,
  plainKeyLength,
  valueBytesOf,
  versionOf,
  withoutValue,
} from '../../../src/proto/hot/key-value.js';
import { expectOnlyDecodeErrors } from '../support/arbitraries.js';
import { keyValue } from '../support/messages.js';

const ACCESSORS = [keyOf, createRevisionOf, versionOf, valueBytesOf, leaseOf, withoutValue];

describe('KeyValue', () => {
  it('is encoded as by the generated codec, and read field by field', () => {
    fc.assert(
      fc.property(keyValue, (message) => {
        const encoded = encodeKeyValue(message);
        expect(encoded.toString('hex')).toBe(KeyValue.encode(message).finish().toString('hex'));
        expect(KeyValue.decode(encoded)).toEqual(message);
        expect(message).toMatchObject({
          key: keyOf(encoded),
          createRevision: createRevisionOf(encoded),
          version: versionOf(encoded),
          value: valueBytesOf(encoded),
          lease: leaseOf(encoded),
        });
        expect(KeyValue.decode(withoutValue(encoded))).toEqual({
          ...message,
          value: Buffer.alloc(0),
        });
      }),
    );
  });

  it('holds little in a tombstone and in the event of a deletion', () => {
    fc.assert(
      fc.property(keyValue, ({ key, modRevision }) => {
        const encode = (fields: Partial<KeyValue>): Buffer =>
          KeyValue.encode(KeyValue.create(fields)).finish();
        expect(encodeTombstone(key)).toEqual(encode({ key }));
        const deletedAt = Math.max(modRevision, 1);
        expect(encodeDeletedKeyValue(key, deletedAt)).toEqual(
          encode({ key, modRevision: deletedAt }),
        );
      }),
    );
  });

  it('aliases the input', () => {
    const encoded = encodeKeyValue(
      KeyValue.create({ key: Buffer.from('k'), value: Buffer.from('v'), modRevision: 7 }),
    );
    expect(valueBytesOf(encoded).buffer).toBe(encoded.buffer);
    expect(keyOf(encoded).buffer).toBe(encoded.buffer);
  });

  it('has its key found in place, among other bytes, whenever it is plain', () => {
    fc.assert(
      fc.property(keyValue, fc.uint8Array({ maxLength: 12 }), (message, after) => {
        const encoded = encodeKeyValue(message);
        const bytes = Buffer.concat([Buffer.from([0x0a, 0x01]), encoded, after]);
        const { key, lease } = message;
        const isPlain = key.length > 0 && key.length < 128 && lease >= 0n;
        const expected = isPlain ? message.key.length : -1;
        expect(plainKeyLength(bytes, 2, 2 + encoded.length)).toBe(expected);
      }),
    );
  });

  it('never has a key found in place that the full check would not give', () => {
    const damage = fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.nat(3) });
    fc.assert(
      fc.property(keyValue, damage, fc.uint8Array({ maxLength: 12 }), (message, harm, after) => {
        const encoded = encodeKeyValue(message);
        if (encoded.length === 0) return;
        encoded[harm.at % encoded.length] = harm.byte;
        const bytes = Buffer.concat([encoded, after]);
        const end = Math.max(0, encoded.length - harm.cut);
        const length = plainKeyLength(bytes, 0, end);
        if (length === -1) return;
        expect(keyOfChecked(bytes.subarray(0, end))).toEqual(bytes.subarray(2, 2 + length));
      }),
      { numRuns: 2000 },
    );
  });

  it('fails with DecodeError alone on malformed bytes', () => {
    fc.assert(
      fc.property(keyValue, (message) => {
        for (const accessor of ACCESSORS) {
          expectOnlyDecodeErrors(encodeKeyValue(message), accessor);
        }
      }),
      { numRuns: 20 },
    );
    expect(() => valueBytesOf(Buffer.from('0a05', 'hex'))).toThrow(DecodeError);
  });
});
