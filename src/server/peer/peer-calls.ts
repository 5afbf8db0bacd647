import type { Member } from '../membership/member.js';

/** What `/version` of a member says. */
export interface PeerVersion {
  /** Its own release. */
  readonly server: string;
  /** `not_decided` as long as the cluster has none. */
  readonly cluster: string;
  /** Empty for 3.4 and 3.5, which do not say. */
  readonly storage: string;
}

/** The members as another member knows them. */
export interface PeerMembers {
  readonly clusterId: bigint;
  readonly members: readonly Member[];
}

export interface PeerHash {
  /** The current revision of the peer. */
  readonly revision: number;
  readonly hash: number;
  readonly compactRevision: number;
  /** The revision hashed; undefined before 3.6. */
  readonly hashRevision: number | undefined;
}

/** How long a lease has still to live. */
export interface LeaseTimeToLive {
  readonly id: bigint;
  readonly ttlSeconds: number;
  readonly grantedTtlSeconds: number;
  /** The attached keys, if they were asked for. */
  readonly keys: readonly Buffer[];
}

/**
 * Questions that one member asks another over HTTP (reference: raft-and-peers B1). Each tries the
 * URLs in their order, each for as long as the timeout says, and takes the first answer.
 */
export interface PeerCalls {
  /** @throws Error if no URL answers */
  members(peerUrls: readonly string[], timeoutMillis: number): Promise<PeerMembers>;
  /** @throws Error if no URL answers */
  version(peerUrls: readonly string[], timeoutMillis: number): Promise<PeerVersion>;
  /** False also for a 3.4, which doesn't know the question. */
  downgradeEnabled(peerUrls: readonly string[], timeoutMillis: number): Promise<boolean>;
  /** @throws EtcdError Compacted, FutureRev, ClusterIDMismatch; Error if no URL answers */
  hashKeyValues(
    peerUrls: readonly string[],
    revision: number,
    timeoutMillis: number,
  ): Promise<PeerHash>;
  /**
   * Renews a lease at the leader.
   * @returns seconds
   * @throws EtcdError LeaseNotFound, TimeoutWaitAppliedIndex, NotPrimaryLessor; Error if no URL answers
   */
  renewLease(peerUrls: readonly string[], id: bigint, timeoutMillis: number): Promise<number>;
  /**
   * How long a lease has still to live, as the leader knows it.
   * @param wantsKeys whether the attached keys are wanted too
   * @throws EtcdError LeaseNotFound, TimeoutWaitAppliedIndex, NotPrimaryLessor; Error if no URL
   *   answers
   */
  leaseTimeToLive(
    peerUrls: readonly string[],
    id: bigint,
    wantsKeys: boolean,
    timeoutMillis: number,
  ): Promise<LeaseTimeToLive>;
  /**
   * Lets the leader promote a learner.
   * @param authorization the caller's token, if any
   * @throws EtcdError MemberNotFound, MemberNotLearner, LearnerNotReady, Timeout; Error if no URL answers
   */
  promote(
    peerUrls: readonly string[],
    id: bigint,
    authorization: string | undefined,
    timeoutMillis: number,
  ): Promise<readonly Member[]>;
  close(): Promise<void>;
}
