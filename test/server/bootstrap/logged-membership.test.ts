import { describe, expect, it } from 'vitest';
import { encodeConfChange } from '../../../src/raft/confchange/codec.js';
import { type ConfChange, ConfChangeType } from '../../../src/raft/confchange/conf-change.js';
import { type Entry, EntryType } from '../../../src/raft/types.js';
import { loggedMembership } from '../../../src/server/bootstrap/logged-membership.js';
import { requireSupportedVersions } from '../../../src/server/bootstrap/version-rules.js';
import {
  attributesEntry,
  type EntryForm,
  versionEntry,
} from '../../../src/server/membership/entry-form.js';
import { encodeMember } from '../../../src/server/membership/member.js';
import { encodeV2Store, hasV2UserData } from '../../../src/storage/snap/v2-store-json.js';

const IDENTITY = { memberId: 1n, clusterId: 9n };
const LARGE_ID = 2n ** 64n - 2n;

function member(id: bigint, isLearner = false) {
  return { id, peerUrls: [`http://m${id}:2380`], isLearner, name: '', clientUrls: [] };
}

/** A log that goes on behind an index. */
class Log {
  readonly entries: Entry[] = [];
  #index: number;

  constructor(index: number) {
    this.#index = index;
  }

  change(type: ConfChange['type'], id: bigint, isLearner = false): this {
    const removes = type === ConfChangeType.RemoveNode;
    const context = Buffer.from(removes ? '' : encodeMember(member(id, isLearner)));
    return this.#add(encodeConfChange({ id: 0n, type, nodeId: id, context }));
  }

  data(data: Buffer): this {
    return this.#add({ type: EntryType.Normal, data });
  }

  #add(entry: Pick<Entry, 'type' | 'data'>): this {
    this.entries.push({ ...entry, term: 2, index: ++this.#index });
    return this;
  }
}

function membershipAt(upTo: number, log: Log, store?: Buffer) {
  const { members, removed, clusterVersion } = loggedMembership(IDENTITY, store, log.entries, upTo);
  return {
    members: members.map(([key, value]) => `${key} ${value}`),
    removed: removed.map(([key, value]) => `${key} ${value}`),
    clusterVersion,
  };
}

describe('loggedMembership', () => {
  it.each<EntryForm>(['v2', 'v3'])('follows a whole log in the %s form', (form) => {
    const attributes = { name: 'a', clientUrls: ['http://a:2379'] };
    const log = new Log(0)
      .change(ConfChangeType.AddNode, 1n)
      .change(ConfChangeType.AddNode, LARGE_ID)
      .data(Buffer.alloc(0))
      .data(attributesEntry(form, 7n, 1n, attributes))
      .data(versionEntry(form, 8n, '3.4.0'))
      .change(ConfChangeType.AddLearnerNode, 3n, true)
      .change(ConfChangeType.RemoveNode, LARGE_ID);
    const first = `1 ${encodeMember({ ...member(1n), ...attributes })}`;
    expect(membershipAt(7, log)).toEqual({
      members: [first, `3 ${encodeMember(member(3n, true))}`],
      removed: [`${LARGE_ID.toString(16)} removed`],
      clusterVersion: '3.4.0',
    });
    // What the database does not hold yet is applied by the start.
    expect(membershipAt(4, log)).toEqual({
      members: [first, `${LARGE_ID.toString(16)} ${encodeMember(member(LARGE_ID))}`],
      removed: [],
      clusterVersion: undefined,
    });
  });

  it('goes on from the store of a snapshot', () => {
    const store = encodeV2Store({
      members: [member(1n), member(2n), member(3n, true)],
      removed: [4n],
      clusterVersion: '3.5.0',
    });
    const log = new Log(100)
      .change(ConfChangeType.RemoveNode, 2n)
      // Refused then, and so it is now.
      .change(ConfChangeType.AddNode, 4n);
    expect(membershipAt(102, log, store)).toEqual({
      members: [`1 ${encodeMember(member(1n))}`, `3 ${encodeMember(member(3n, true))}`],
      removed: ['2 removed', '4 removed'],
      clusterVersion: '3.5.0',
    });
  });
});

describe('hasV2UserData', () => {
  const store = encodeV2Store({ members: [member(1n)], removed: [], clusterVersion: undefined });
  const withNode = (name: string, children: unknown) => {
    const json = JSON.parse(store.toString());
    json.Root.Children[name] = { Path: `/${name}`, Value: '', Children: children };
    return Buffer.from(JSON.stringify(json));
  };

  it('tells keys and users of the second API from what every member has', () => {
    expect(hasV2UserData(store)).toBe(false);
    expect(hasV2UserData(withNode('2', {}))).toBe(false);
    expect(hasV2UserData(withNode('1', { k: { Path: '/1/k', Value: 'v', Children: null } }))).toBe(
      true,
    );
    expect(hasV2UserData(withNode('2', { users: { Path: '/2/users', Children: {} } }))).toBe(true);
    expect(hasV2UserData(withNode('other', null))).toBe(true);
  });
});

describe('requireSupportedVersions', () => {
  it.each([
    [undefined, undefined],
    ['3.6.0', '3.7.0'],
    ['', '3.0.0'],
    ['nonsense', 'nonsense'],
  ])('takes data of %s in a cluster of %s', (storage, cluster) => {
    requireSupportedVersions({ storage, cluster });
  });

  it('refuses data of releases to come', () => {
    const refused = (storage: string | undefined, cluster: string | undefined) =>
      expect(() => requireSupportedVersions({ storage, cluster }));
    refused('3.8.0', '3.7.0').toThrow('version "3.8.0" is not supported');
    refused('2.3.0', undefined).toThrow('changing major storage version is not supported');
    refused(undefined, '3.8.0').toThrow(
      'invalid downgrade; server version is lower than determined cluster version',
    );
    refused(undefined, '4.0.0').toThrow('invalid downgrade');
  });
});
