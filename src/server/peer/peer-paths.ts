/** Where a member answers questions of its peers (reference: raft-and-peers B1). */
export const PEER_PATHS = {
  members: '/members',
  /** Followed by the id of a learner, decimal. */
  promote: '/members/promote/',
  version: '/version',
  leases: '/leases',
  leasesInternal: '/leases/internal',
  downgradeEnabled: '/downgrade/enabled',
  hashKeyValues: '/members/hashkv',
} as const;

/** The cluster that a request or an answer belongs to: hexadecimal without padding. */
export const CLUSTER_ID_HEADER = 'X-Etcd-Cluster-ID';

/** Error texts that members tell apart the answers of their peers by. */
export const PEER_TEXTS = {
  leaseTimeout: 'waiting for node to catch up its applied index has timed out',
  leaseNotFound: 'lease not found',
  notPrimaryLessor: 'not a primary lessor',
  compacted: 'mvcc: required revision has been compacted',
  futureRevision: 'mvcc: required revision is a future revision',
  clusterIdMismatch: 'cluster ID mismatch',
  memberNotFound: 'membership: ID not found',
  memberNotLearner: 'membership: can only promote a learner member',
  learnerNotReady: 'etcdserver: can only promote a learner member which is in sync with leader',
} as const;
