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
  leaseOf,
  modRevisionOf,
  valueBytesOf,
  versionOf,
  withoutValue,
} from '../../../src/proto/hot/key-value.js';
import { expectOnlyDecodeErrors } from '../support/arbitraries.js';
import { keyValue } from '../support/messages.js';

const ACCESSORS = [
  keyOf,
  createRevisionOf,
  modRevisionOf,
  versionOf,
  valueBytesOf,
  leaseOf,
  withoutValue,
];

describe('KeyValue', () => {
  it('is encoded as by the generated codec, and read field by field', () => {
    fc.assert(
      fc.property(keyValue, (message) => {
        const encoded = encodeKeyValue(message);
        expect(encoded.toString('hex')).toBe(KeyValue.encode(message).finish().toString('hex'));
        expect(KeyValue.decode(encoded)).toEqual(message);
        expect({
          key: keyOf(encoded),
          createRevision: createRevisionOf(encoded),
          modRevision: modRevisionOf(encoded),
          version: versionOf(encoded),
          value: valueBytesOf(encoded),
          lease: leaseOf(encoded),
        }).toEqual(message);
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
