const TEXTS = {
  Compacted: 'requested index is unavailable due to compaction',
  SnapshotOutOfDate: 'requested index is older than the existing snapshot',
  Unavailable: 'requested entry at index is unavailable',
  SnapshotTemporarilyUnavailable: 'snapshot is temporarily unavailable',
  ProposalDropped: 'raft proposal dropped',
  StepLocalMessage: 'raft: cannot step raft local message',
  StepPeerNotFound: 'raft: cannot step as peer not found',
} as const;

export type RaftErrorCode = keyof typeof TEXTS;

/** An expected refusal. The texts are etcd's. */
export class RaftError extends Error {
  readonly code: RaftErrorCode;

  constructor(code: RaftErrorCode) {
    super(TEXTS[code]);
    this.name = 'RaftError';
    this.code = code;
  }
}

/** A configuration change that the current configuration does not allow. */
export class ConfChangeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfChangeError';
  }
}

/**
 * A broken promise: of this code, of its caller, or of the disk. The member must stop, because
 * going on could lose what it acknowledged.
 */
export class RaftInvariantError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RaftInvariantError';
  }
}
