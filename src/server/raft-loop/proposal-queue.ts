import type { ConfChange } from '../../raft/confchange/conf-change.js';
import { RaftError } from '../../raft/errors.js';
import type { RawNode } from '../../raft/raw-node.js';

/** Bytes of proposals in one message to the leader: a larger one would hold up those behind it. */
const MAX_FORWARDED_BYTES = 1024 * 1024;

export interface Proposal {
  readonly id: bigint;
  readonly data: Buffer;
  readonly onDropped: (error: unknown) => void;
}

export interface ConfChangeProposal {
  readonly id: bigint;
  readonly change: ConfChange;
  readonly onDropped: (error: unknown) => void;
}

export interface ProposalQueueOptions {
  readonly node: Pick<RawNode, 'proposeBatch' | 'proposeConfChange'>;
  /** Whether somebody still waits for the proposal of that id. */
  readonly isAwaited: (id: bigint) => boolean;
}

/** Proposals that Raft has not been given yet. Bounded by those who wait for them. */
export class ProposalQueue {
  readonly #options: ProposalQueueOptions;
  #proposals: Proposal[] = [];
  #confChanges: ConfChangeProposal[] = [];

  constructor(options: ProposalQueueOptions) {
    this.#options = options;
  }

  add(proposal: Proposal): void {
    this.#proposals.push(proposal);
  }

  addConfChange(proposal: ConfChangeProposal): void {
    this.#confChanges.push(proposal);
  }

  /**
   * Gives all of them to Raft, which knows of a leader.
   * @param isLeader whether this member is it: otherwise they go to another one, in messages
   */
  proposeAll(isLeader: boolean): void {
    if (this.#proposals.length > 0) {
      const proposals = this.#proposals;
      this.#proposals = [];
      if (isLeader) this.#proposeBatch(proposals);
      else for (const batch of forwardedBatches(proposals)) this.#proposeBatch(batch);
    }
    if (this.#confChanges.length > 0) {
      const changes = this.#confChanges;
      this.#confChanges = [];
      for (const { change, onDropped } of changes) {
        this.#propose([onDropped], () => this.#options.node.proposeConfChange(change));
      }
    }
  }

  /** Forgets those whose clients were told Timeout: without a leader they would pile up. */
  forgetLate(): void {
    const { isAwaited } = this.#options;
    if (this.#proposals.length > 0) {
      this.#proposals = this.#proposals.filter(({ id }) => isAwaited(id));
    }
    if (this.#confChanges.length > 0) {
      this.#confChanges = this.#confChanges.filter(({ id }) => isAwaited(id));
    }
  }

  /** Drops all of them. */
  close(error: unknown): void {
    const proposals = [...this.#proposals, ...this.#confChanges];
    this.#proposals = [];
    this.#confChanges = [];
    for (const { onDropped } of proposals) onDropped(error);
  }

  #proposeBatch(batch: readonly Proposal[]): void {
    this.#propose(
      batch.map(({ onDropped }) => onDropped),
      () => this.#options.node.proposeBatch(batch.map(({ data }) => data)),
    );
  }

  #propose(onDropped: readonly ((error: unknown) => void)[], propose: () => void): void {
    try {
      propose();
    } catch (error) {
      for (const drop of onDropped) drop(error);
      if (!(error instanceof RaftError)) throw error;
    }
  }
}

/** Proposals for the leader, in messages of bounded size. */
function* forwardedBatches(proposals: readonly Proposal[]): Generator<readonly Proposal[]> {
  let start = 0;
  let bytes = 0;
  for (const [position, { data }] of proposals.entries()) {
    if (position > start && bytes + data.length > MAX_FORWARDED_BYTES) {
      yield proposals.slice(start, position);
      start = position;
      bytes = 0;
    }
    bytes += data.length;
  }
  yield proposals.slice(start);
}
