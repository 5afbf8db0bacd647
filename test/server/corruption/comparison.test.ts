import { describe, expect, it } from 'vitest';
import {
  compactionVerdict,
  type PeerAnswer,
  type PeriodicComparison,
  periodicFindings,
} from '../../../src/server/corruption/comparison.js';
import type { PeerHash } from '../../../src/server/peer/peer-calls.js';

const LEADER = 41n;

function hashOf(changes: Partial<PeerHash> = {}): PeerHash {
  return { revision: 5, hash: 2, compactRevision: 1, hashRevision: 5, ...changes };
}

describe('the hashes of a compaction', () => {
  const down = undefined;
  // Reference: semantics 13, K5.
  it.each([
    [{ 42: 2, 43: 2, 44: 7, 45: 7 }, [44n, 45n]],
    [{ 42: 3, 43: 3 }, [LEADER]],
    [{ 42: down, 43: 3 }, undefined],
    [{ 42: 2, 43: 3, 44: 3, 45: 3, 46: 4, 47: 2 }, undefined],
    [{ 42: 2, 43: down, 44: 3, 45: 2 }, [44n]],
    [{ 42: 3, 43: 4 }, undefined],
  ])('2 here and %j elsewhere blame %s', (others, wrong) => {
    const peers = Object.entries(others).map(
      ([id, hash]): PeerAnswer => ({
        id: BigInt(id),
        hash: hash === undefined ? undefined : hashOf({ hash }),
      }),
    );
    const verdict = compactionVerdict(LEADER, { hash: 2, compactRevision: 1 }, peers);
    expect(verdict).toEqual({ kind: 'different', wrong });
  });

  it.each([
    [[hashOf(), hashOf()], true],
    [[undefined, hashOf()], false],
    [[undefined, undefined], false],
    // Of another compaction: that it differs means nothing.
    [[hashOf({ compactRevision: 3, hash: 9 }), hashOf()], false],
  ])('are equal with %j, of all members: %s', (hashes, isComplete) => {
    const peers = hashes.map((hash, at): PeerAnswer => ({ id: BigInt(42 + at), hash }));
    const verdict = compactionVerdict(LEADER, { hash: 2, compactRevision: 1 }, peers);
    expect(verdict).toEqual({ kind: 'equal', isComplete });
  });
});

describe('the periodic comparison', () => {
  function blamed(changes: Partial<PeriodicComparison>): bigint[] {
    const own = { hash: 2, compactRevision: 1, revision: 5 };
    const findings = periodicFindings({
      localMemberId: LEADER,
      before: own,
      after: own,
      revision: 5,
      peers: [],
      areHashesComparable: true,
      ...changes,
    });
    return findings.map(({ memberId }) => memberId);
  }

  const peer = (changes: Partial<PeerHash>): PeriodicComparison['peers'] => [
    { id: 42n, hash: hashOf() },
    { id: 43n, hash: hashOf(changes) },
    { id: 44n, hash: undefined },
  ];

  it('blames nobody when all are equal, or behind, or away', () => {
    expect(blamed({ peers: peer({}) })).toEqual([]);
    expect(blamed({ peers: peer({ compactRevision: 0, hash: 9 }) })).toEqual([]);
    expect(blamed({ peers: peer({ revision: 4 }) })).toEqual([]);
  });

  // Reference: semantics 13, K6.
  it.each([
    ['a revision above ours', { revision: 6 }],
    ['a compacted revision above ours', { compactRevision: 2 }],
    ['other keys', { hash: 3 }],
  ])('blames a peer with %s', (_what, changes) => {
    expect(blamed({ peers: peer(changes) })).toEqual([43n]);
  });

  it('blames itself if its keys changed at the same revision', () => {
    expect(blamed({ after: { hash: 3, compactRevision: 1, revision: 5 } })).toEqual([LEADER]);
    expect(blamed({ after: { hash: 3, compactRevision: 1, revision: 6 } })).toEqual([]);
    expect(blamed({ after: { hash: 3, compactRevision: 4, revision: 5 } })).toEqual([]);
  });

  it('compares revisions alone where hashes mean nothing', () => {
    const areHashesComparable = false;
    expect(blamed({ peers: peer({ hash: 3 }), areHashesComparable })).toEqual([]);
    expect(blamed({ peers: peer({ hash: 3, revision: 9 }), areHashesComparable })).toEqual([43n]);
  });
});
