import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { etcdError } from '../../../../src/proto/errors.js';
import { KeyValue } from '../../../../src/proto/gen/mvccpb/kv.js';
import { putCost, txnCost } from '../../../../src/server/apply/kv/cost.js';
import { openTestStore, TestLeases, type TestStore } from '../../../storage/mvcc/support.js';
import { Client, keyValues, NEVER, op, put, txn } from './support.js';

const LEASE = 5n;

let test: TestStore;
let client: Client;

beforeEach(async () => {
  test = await openTestStore({ leases: new TestLeases([LEASE]) });
  client = new Client(test.store);
});

afterEach(() => test.close());

/** Value and lease of a key. */
function valueAndLease(key: string): [string, bigint] | undefined {
  const [keyValue] = keyValues(client.range(key));
  return keyValue && [keyValue.value.toString(), keyValue.lease];
}

describe('put', () => {
  it('U1: keeps the value of no key, and takes none beside', () => {
    const absent = etcdError('KeyNotFound');
    expect(() => client.put('foo', '', { ignoreValue: true })).toThrow(absent);
    expect(() => client.txn([op.put('foo', '', { ignoreValue: true })])).toThrow(absent);
    expect(() => client.put('foo', 'bar', { ignoreValue: true })).toThrow(
      etcdError('ValueProvided'),
    );
    expect(test.store.currentRevision).toBe(1);
  });

  it('U2: keeps the value and takes the lease it is given', () => {
    client.put('foo', 'bar');
    client.txn([op.put('foo', '', { lease: LEASE, ignoreValue: true })]);
    expect(valueAndLease('foo')).toEqual(['bar', LEASE]);
    expect(test.leases.leaseOf('foo')).toBe(LEASE);
    const { previous } = client.put('foo', '', { ignoreValue: true });
    expect(previous).toBeUndefined();
    expect(valueAndLease('foo')).toEqual(['bar', 0n]);
    expect(test.leases.leaseOf('foo')).toBe(0n);
  });

  it('U3: keeps the lease', () => {
    expect(() => client.put('zoo', 'bar', { ignoreLease: true })).toThrow(etcdError('KeyNotFound'));
    client.put('zoo', 'bar', { lease: LEASE });
    client.txn([op.put('zoo', 'bar1', { ignoreLease: true })]);
    expect(valueAndLease('zoo')).toEqual(['bar1', LEASE]);
    expect(() => client.put('zoo', '', { lease: LEASE, ignoreLease: true })).toThrow(
      etcdError('LeaseProvided'),
    );
  });

  it('U4: needs a lease that exists, but only where it is put', () => {
    const missing = etcdError('LeaseNotFound');
    const lease = 123456n;
    expect(() => client.put('foo', '', { lease })).toThrow(missing);
    expect(() => client.txn([op.put('bar'), op.put('foo', '', { lease })])).toThrow(missing);
    expect(test.store.currentRevision).toBe(1);
    const result = client.txn([op.put('foo', '', { lease })], [op.put('foo')], NEVER);
    expect(result).toMatchObject({ succeeded: false, revision: 2 });
  });

  it('looks for the lease before the key', () => {
    expect(() => client.put('foo', '', { lease: 9n, ignoreValue: true })).toThrow(
      etcdError('LeaseNotFound'),
    );
  });

  it('returns what was there, if asked', () => {
    expect(client.put('foo', '1', { prevKv: true }).previous).toBeUndefined();
    expect(client.put('foo', '2').previous).toBeUndefined();
    const { previous, revision } = client.put('foo', '3', { prevKv: true, lease: LEASE });
    expect(revision).toBe(4);
    expect(previous && KeyValue.decode(previous)).toMatchObject({
      modRevision: 3,
      version: 2,
      value: Buffer.from('2'),
    });
  });

  it('refuses an empty key', () => {
    expect(() => client.put('', 'x')).toThrow(etcdError('EmptyKey'));
  });
});

describe('delete', () => {
  it('U5: deletes one key or a range', () => {
    const deleted = (key: string, end = ''): unknown[] => {
      for (const name of ['foo', 'foo/abc', 'fop']) {
        client.put(name, name);
      }
      const before = test.store.currentRevision;
      const result = client.del(key, end, true);
      expect(result.previous).toHaveLength(result.deleted);
      expect(result.revision).toBe(result.deleted > 0 ? before + 1 : before);
      return result.previous.map((bytes) => KeyValue.decode(bytes).value.toString());
    };
    expect(deleted('foo/', 'fop')).toEqual(['foo/abc']);
    expect(deleted('foo/', 'foo/')).toEqual([]);
    expect(deleted('fo', 'fop')).toEqual(['foo', 'foo/abc']);
    expect(deleted('foo/', 'fos')).toEqual(['foo/abc', 'fop']);
    expect(deleted('foo/abc')).toEqual(['foo/abc']);
  });

  it('returns nothing of what it deleted unless asked', () => {
    client.put('a');
    expect(client.del('a')).toEqual({ revision: 3, deleted: 1, previous: [] });
  });

  it('refuses an empty key', () => {
    expect(() => client.del('')).toThrow(etcdError('EmptyKey'));
  });
});

describe('cost', () => {
  it('is 256 bytes and the payload of a put', () => {
    expect(putCost(put('abc', '12345'))).toBe(256 + 3 + 5);
  });

  it('is that of the dearer branch, nested ones included', () => {
    const cheap = op.put('a', '1');
    const dear = op.put('a', '1'.repeat(1000));
    expect(txnCost(txn([cheap, cheap], [dear]))).toBe(256 + 1 + 1000);
    expect(txnCost(txn([cheap], [op.txn([cheap], [dear]), cheap]))).toBe(2 * 257 + 1000 + 1);
    expect(txnCost(txn([op.range('a'), op.del('a')]))).toBe(0);
  });
});
