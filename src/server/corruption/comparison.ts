import type { LogFields } from '../../base/logger.js';
import type { KeyValueHash } from '../../storage/mvcc/kv-hasher.js';
import { formatId } from '../membership/member.js';
import type { PeerHash } from '../peer/peer-calls.js';

/** What another member said of its keys. */
export interface PeerAnswer {
  readonly id: bigint;
  /** Undefined: it did not say. */
  readonly hash: PeerHash | undefined;
}

/** A difference that there should not be. */
export interface Finding {
  /** Whose data are wrong. */
  readonly memberId: bigint;
  readonly message: string;
  readonly fields: LogFields;
}

export interface PeriodicComparison {
  readonly localMemberId: bigint;
  /** The own hash, taken first. */
  readonly before: KeyValueHash;
  /** What the others said of that revision. */
  readonly peers: readonly PeerAnswer[];
  /** The own hash after a linearizable read that came after their answers. */
  readonly after: KeyValueHash;
  /** The own revision at `after`. */
  readonly revision: number;
  /** Whether the hashes can be trusted to be alike; revisions are compared anyway. */
  readonly areHashesComparable: boolean;
}

/**
 * The periodic check of a leader (reference: semantics 11): nobody may be ahead of it, and at the
 * same compacted revision all must have the same keys.
 */
export function periodicFindings(comparison: PeriodicComparison): Finding[] {
  const findings: Finding[] = [];
  const own = ownFinding(comparison);
  if (own !== undefined) findings.push(own);
  for (const { id, hash } of comparison.peers) {
    if (hash !== undefined) findings.push(...peerFindings(comparison, id, hash));
  }
  return findings;
}

function ownFinding({
  localMemberId,
  before,
  after,
  areHashesComparable,
}: PeriodicComparison): Finding | undefined {
  const isSameState =
    after.revision === before.revision && after.compactRevision === before.compactRevision;
  if (!areHashesComparable || !isSameState || after.hash === before.hash) return undefined;
  return {
    memberId: localMemberId,
    message: 'found hash mismatch',
    fields: {
      'revision-1': before.revision,
      'compact-revision-1': before.compactRevision,
      'hash-1': before.hash,
      'revision-2': after.revision,
      'compact-revision-2': after.compactRevision,
      'hash-2': after.hash,
    },
  };
}

function* peerFindings(
  { before, after, revision, areHashesComparable }: PeriodicComparison,
  id: bigint,
  peer: PeerHash,
): Generator<Finding> {
  const finding = (message: string, fields: LogFields): Finding => ({
    memberId: id,
    message,
    fields: { ...fields, 'follower-peer-id': formatId(id) },
  });
  if (peer.revision > revision) {
    yield finding("revision from follower must be less than or equal to leader's", {
      'leader-revision': revision,
      'follower-revision': peer.revision,
    });
  }
  if (peer.compactRevision > after.compactRevision) {
    yield finding("compact revision from follower must be less than or equal to leader's", {
      'leader-compact-revision': after.compactRevision,
      'follower-compact-revision': peer.compactRevision,
    });
  }
  const isSameState = peer.compactRevision === before.compactRevision;
  if (areHashesComparable && isSameState && peer.hash !== before.hash) {
    yield finding('same compact revision then hashes must match', {
      'leader-compact-revision': before.compactRevision,
      'leader-hash': before.hash,
      'follower-compact-revision': peer.compactRevision,
      'follower-hash': peer.hash,
    });
  }
}

/** What the hashes of one compaction say of the members. */
export type CompactionVerdict =
  | {
      readonly kind: 'equal';
      /** Whether every member was compared. */
      readonly isComplete: boolean;
    }
  | {
      readonly kind: 'different';
      /** Members outside the majority; undefined: there is none, so nobody knows who is right. */
      readonly wrong: readonly bigint[] | undefined;
    };

/** Why the hash of a compaction that a member has can't be compared; undefined: it can. */
export function whyNotCompared(
  own: Pick<KeyValueHash, 'compactRevision'>,
  { hash }: PeerAnswer,
): string | undefined {
  if (hash === undefined) return 'no response';
  if (hash.compactRevision === own.compactRevision) return undefined;
  return `the peer's CompactRevision ${hash.compactRevision} doesn't match leader's CompactRevision ${own.compactRevision}`;
}

/** Compares the hash of a compaction with those of the other members (reference: semantics 11). */
export function compactionVerdict(
  localMemberId: bigint,
  own: Pick<KeyValueHash, 'hash' | 'compactRevision'>,
  peers: readonly PeerAnswer[],
): CompactionVerdict {
  const membersByHash = new Map<number, bigint[]>([[own.hash, [localMemberId]]]);
  let compared = 0;
  for (const peer of peers) {
    if (peer.hash === undefined || whyNotCompared(own, peer) !== undefined) continue;
    compared++;
    const members = membersByHash.get(peer.hash.hash) ?? [];
    members.push(peer.id);
    membersByHash.set(peer.hash.hash, members);
  }
  if (membersByHash.size === 1) return { kind: 'equal', isComplete: compared === peers.length };
  // Of all members, not only of those that answered.
  const quorum = Math.floor((peers.length + 1) / 2) + 1;
  const groups = [...membersByHash.values()];
  const right = groups.find((members) => members.length >= quorum);
  if (right === undefined) return { kind: 'different', wrong: undefined };
  return { kind: 'different', wrong: groups.filter((members) => members !== right).flat() };
}
