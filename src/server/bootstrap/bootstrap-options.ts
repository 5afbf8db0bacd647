import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import type { Member } from '../membership/member.js';
import type { PeerCalls } from '../peer/peer-calls.js';
import type { HostResolver } from './host-resolver.js';
import type { FirstMember } from './new-member.js';
import type { ConnectDiscovery } from './v3-discovery.js';

/** With what a member that has no log yet finds out who it is. */
export interface BootstrapOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly calls: Pick<PeerCalls, 'members' | 'version' | 'downgradeEnabled'>;
  /** Default: the system's. */
  readonly resolver?: HostResolver;
  /** The release that this member is; default: ours. */
  readonly version?: string;
  /** Learners that the cluster may have. */
  readonly maxLearners: number;
  /** How long the members of a running cluster may take to tell their versions. */
  readonly requestTimeoutMillis: number;
  /** Opens the discovery service; absent: there is none to use. */
  readonly connectDiscovery?: ConnectDiscovery;
}

/** What a member that has no log yet begins with. */
export interface MemberPlan {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  /** The first members of a new cluster, by ascending id; none if it joins a running one. */
  readonly peers: readonly FirstMember[];
  /**
   * Members of the running cluster that it joins, itself among them: whom it must be able to answer
   * before the log tells of them.
   */
  readonly remotes: readonly Member[];
}
