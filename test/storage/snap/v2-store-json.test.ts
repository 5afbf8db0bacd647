import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SnapError } from '../../../src/storage/snap/snap-error.js';
import {
  decodeV2Store,
  encodeV2Store,
  type V2Membership,
} from '../../../src/storage/snap/v2-store-json.js';

const MEMBERSHIP: V2Membership = {
  members: [
    {
      id: 0x5952c0851888971fn,
      peerUrls: ['http://127.0.0.1:24012'],
      isLearner: false,
      name: 'm1',
      clientUrls: ['http://127.0.0.1:24011'],
    },
    {
      id: 0xffffffffffffffffn,
      peerUrls: ['http://a:1', 'http://b:2?x=1&y=<2>'],
      isLearner: true,
      name: '',
      clientUrls: [],
    },
  ],
  removed: [0xdeadbeefn, 0x8000000000000001n],
  clusterVersion: '3.6.0',
};

describe('the v2 store of a snapshot', () => {
  it('gives the membership back, ids whole', () => {
    expect(decodeV2Store(encodeV2Store(MEMBERSHIP))).toEqual(MEMBERSHIP);
  });

  it('does so for any membership', () => {
    const id = fc.bigInt({ min: 1n, max: (1n << 64n) - 1n });
    const urls = fc.array(fc.webUrl({ withQueryParameters: true }), { maxLength: 3 });
    const member = fc
      .record({ id, peerUrls: urls, isLearner: fc.boolean(), name: fc.string(), clientUrls: urls })
      .map((one) => (one.clientUrls.length === 0 ? { ...one, name: '' } : one));
    const byValue = (a: bigint, b: bigint): number => (a < b ? -1 : 1);
    const membership = fc.record({
      members: fc
        .uniqueArray(member, { selector: (one) => one.id, maxLength: 7 })
        .map((list) => list.sort((a, b) => byValue(a.id, b.id))),
      removed: fc.uniqueArray(id, { maxLength: 5 }).map((list) => list.sort(byValue)),
      clusterVersion: fc.option(fc.constant('3.7.0'), { nil: undefined }),
    });
    fc.assert(
      fc.property(membership, (value) => {
        expect(decodeV2Store(encodeV2Store(value))).toEqual(value);
      }),
    );
  });

  it('has the shape that readers up to 3.6 need', () => {
    const text = encodeV2Store(MEMBERSHIP).toString();
    const store = JSON.parse(text);
    expect(Object.keys(store)).toEqual([
      'Root',
      'WatcherHub',
      'CurrentIndex',
      'Stats',
      'CurrentVersion',
    ]);
    expect(store.WatcherHub.EventHistory.Queue.Events).toHaveLength(1000);
    expect(store.WatcherHub.EventHistory.Queue).toMatchObject({ Size: 6, Front: 0, Back: 6 });
    expect(store.CurrentIndex).toBe(6);
    expect(store.Root.Children['1'].Children).toEqual({});
    expect(store.Root.Children['0'].Children.version).toEqual({
      Path: '/0/version',
      CreatedIndex: 6,
      ModifiedIndex: 6,
      ExpireTime: '0001-01-01T00:00:00Z',
      Value: '3.6.0',
      Children: null,
    });
    expect(text).toContain(
      '"attributes":{"Path":"/0/members/5952c0851888971f/attributes","CreatedIndex":2,' +
        '"ModifiedIndex":2,"ExpireTime":"0001-01-01T00:00:00Z","Value":"{\\"name\\":\\"m1\\",' +
        '\\"clientURLs\\":[\\"http://127.0.0.1:24011\\"]}","Children":null}',
    );
    expect(text).toContain('y=\\\\u003c2\\\\u003e');
  });

  it('keeps the list of events full when there are more', () => {
    const removed = Array.from({ length: 1200 }, (_, at) => BigInt(at + 1));
    const bytes = encodeV2Store({ members: [], removed, clusterVersion: undefined });
    const { EventHistory } = JSON.parse(bytes.toString()).WatcherHub;
    expect(EventHistory.Queue.Events).toHaveLength(1000);
    expect(EventHistory).toMatchObject({ StartIndex: 201, LastIndex: 1200 });
    expect(decodeV2Store(bytes).removed).toEqual(removed);
  });

  it('refuses what is none with a typed error', () => {
    const wrong = [
      '',
      '[]',
      '{}',
      '{"Root":3}',
      '{"Root":{"Children":{"0":{"Children":{"members":{"Children":{"xyz":{}}}}}}}}',
      '{"Root":{"Children":{"0":{"Children":{"members":{"Children":{"1f":{}}}}}}}}',
    ];
    for (const text of wrong) {
      expect(() => decodeV2Store(Buffer.from(text)), text).toThrow(SnapError);
    }
    expect(decodeV2Store(Buffer.from('{"Root":{"Children":null}}'))).toEqual({
      members: [],
      removed: [],
      clusterVersion: undefined,
    });
  });
});
