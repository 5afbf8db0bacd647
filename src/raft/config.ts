import type { Logger } from '../base/logger.js';
import type { Random } from '../platform/random.js';
import { RaftInvariantError } from './errors.js';
import type { Storage } from './storage.js';
import { isLocalThread, NONE } from './types.js';

/**
 * How reads are kept linearizable. `safe` asks a quorum; `lease-based` trusts the leader's clock
 * and needs checkQuorum.
 */
export type ReadOnlyOption = 'safe' | 'lease-based';

/** What a member's Raft is made from (reference: raft A1, with etcd's values). */
export interface RaftConfig {
  readonly id: bigint;
  /** Ticks without a leader until a campaign starts, at least; more than heartbeatTick. */
  readonly electionTick: number;
  /** Ticks between heartbeats of a leader, > 0. */
  readonly heartbeatTick: number;
  readonly storage: Storage;
  readonly random: Random;
  readonly logger: Logger;
  /** Last index that was applied before a restart; default 0, everything is handed out again. */
  readonly applied?: number;
  /** Makes appending and applying asynchronous; see RawNode. Default false. */
  readonly asyncStorageWrites?: boolean;
  /**
   * With asynchronous storage writes: whether vote requests wait for the append that carries the
   * term and the log they speak of. Default true. etcd's library sends them at once; then a
   * candidate that crashes, loses the tail of its log and campaigns again in the same term could
   * win by a vote that was granted to the longer log.
   */
  readonly holdVoteRequests?: boolean;
  /** Bound on the encoded entries of one append message, bytes; one entry may exceed it. */
  readonly maxSizePerMessage: number;
  /** Bound on the committed entries being applied, bytes; default maxSizePerMessage. */
  readonly maxCommittedSizePerReady?: number;
  /** Bound on the payload of a leader's uncommitted entries, bytes; default none. */
  readonly maxUncommittedSize?: number;
  /** Bound on unacknowledged append messages per follower, > 0. */
  readonly maxInflightMessages: number;
  /** Bound on their payload, bytes, at least maxSizePerMessage; default none. */
  readonly maxInflightBytes?: number;
  /** Whether a leader steps down when it hears of no quorum for an election timeout. */
  readonly checkQuorum?: boolean;
  /** Whether a campaign first asks if it could win, before it disturbs a leader. */
  readonly preVote?: boolean;
  /** Default safe. */
  readonly readOnlyOption?: ReadOnlyOption;
  readonly disableProposalForwarding?: boolean;
  readonly disableConfChangeValidation?: boolean;
  /** Whether a leader that is removed or demoted steps down. */
  readonly stepDownOnRemoval?: boolean;
}

export type ResolvedRaftConfig = Required<RaftConfig>;

/**
 * Fills in defaults.
 * @throws {RaftInvariantError} if the values contradict each other.
 */
export function resolveConfig(config: RaftConfig): ResolvedRaftConfig {
  const resolved: ResolvedRaftConfig = {
    applied: 0,
    asyncStorageWrites: false,
    holdVoteRequests: true,
    maxUncommittedSize: Number.POSITIVE_INFINITY,
    maxInflightBytes: Number.POSITIVE_INFINITY,
    checkQuorum: false,
    preVote: false,
    readOnlyOption: 'safe',
    disableProposalForwarding: false,
    disableConfChangeValidation: false,
    stepDownOnRemoval: false,
    ...config,
    maxCommittedSizePerReady: config.maxCommittedSizePerReady ?? config.maxSizePerMessage,
  };
  validate(resolved);
  return resolved;
}

function validate(config: ResolvedRaftConfig): void {
  const check = (holds: boolean, message: string): void => {
    if (!holds) throw new RaftInvariantError(message);
  };
  check(config.id !== NONE, 'cannot use none as id');
  check(!isLocalThread(config.id), 'cannot use local target as id');
  check(config.heartbeatTick > 0, 'heartbeat tick must be greater than 0');
  check(
    config.electionTick > config.heartbeatTick,
    'election tick must be greater than heartbeat tick',
  );
  check(config.maxInflightMessages > 0, 'max inflight messages must be greater than 0');
  check(
    config.maxInflightBytes >= config.maxSizePerMessage,
    'max inflight bytes must be >= max message size',
  );
  check(
    config.readOnlyOption !== 'lease-based' || config.checkQuorum,
    'CheckQuorum must be enabled when ReadOnlyOption is ReadOnlyLeaseBased',
  );
}
