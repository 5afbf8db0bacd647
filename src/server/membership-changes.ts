import { EMPTY_BYTES } from '../base/bytes.js';
import type { Logger } from '../base/logger.js';
import { etcdError } from '../proto/errors.js';
import type { ConfChange } from '../raft/confchange/conf-change.js';
import type { RawNode } from '../raft/raw-node.js';
import type { ConfState, Entry } from '../raft/types.js';
import { applyMembershipChange } from './membership/apply-conf-change.js';
import type { Cluster } from './membership/cluster.js';
import type { Member } from './membership/member.js';
import type { PendingRequests } from './pending-requests.js';

export interface MembershipChangesOptions {
  readonly cluster: Cluster;
  readonly node: RawNode;
  readonly logger: Logger;
  readonly pending: PendingRequests;
  /** How many learners the cluster may have; the same on all members. */
  readonly maxLearners: number;
  readonly nextId: () => bigint;
  readonly propose: (id: bigint, change: ConfChange, onDropped: (error: unknown) => void) => void;
  /** A change was carried out; `nodeId` 0: it was refused. */
  readonly onChange: (change: ConfChange) => void;
}

interface ChangeAnswer {
  readonly index: number;
  readonly answer: () => void;
  readonly reject: (error: unknown) => void;
}

/** Changes of the membership on their way through the log and into it. */
export class MembershipChanges {
  readonly #options: MembershipChangesOptions;
  #confState: ConfState;
  /** Answers that wait until Raft has gone past their changes. */
  #answers: ChangeAnswer[] = [];

  constructor(options: MembershipChangesOptions, confState: ConfState) {
    this.#options = options;
    this.#confState = confState;
  }

  /** The configuration as applied so far. */
  get confState(): ConfState {
    return this.#confState;
  }

  /**
   * @returns the members after it
   * @throws EtcdError the refusal, RequestTooManyRequests, Timeout, Stopped
   */
  propose(change: Omit<ConfChange, 'id'>): Promise<readonly Member[]> {
    const { pending, nextId, propose } = this.#options;
    if (pending.isFull) return Promise.reject(etcdError('RequestTooManyRequests'));
    const id = nextId();
    const result = pending.wait<readonly Member[]>(id, change, EMPTY_BYTES);
    propose(id, { ...change, id }, (error) => pending.take(id)?.reject(error));
    return result;
  }

  apply(entry: Entry, isReplay: boolean): ConfState {
    // The backend's members are those after every replayed change: Raft began with them.
    if (isReplay) return this.#confState;
    const { cluster, node, logger, maxLearners, onChange } = this.#options;
    const { change, refusal } = applyMembershipChange(cluster, entry, maxLearners);
    if (refusal !== undefined) {
      logger.warn('rejected a configuration change', { error: refusal.message });
    }
    this.#confState = node.applyConfChange(change);
    onChange(change);
    this.#answer(entry.index, change.id, refusal);
    return this.#confState;
  }

  /** The configuration came with a snapshot. */
  replace(confState: ConfState): void {
    this.#confState = confState;
  }

  /** Told after entries were applied: answers those whose change Raft is past. */
  onApplied(): void {
    if (this.#answers.length === 0) return;
    const { applied } = this.#options.node.raft.core.log;
    const answers = this.#answers;
    this.#answers = answers.filter(({ index }) => index > applied);
    for (const { index, answer } of answers) if (index <= applied) answer();
  }

  /** Answers those whose change Raft will never be past. */
  close(error: unknown): void {
    const answers = this.#answers;
    this.#answers = [];
    for (const { reject } of answers) reject(error);
  }

  /** Until Raft is past a change it refuses the next one, so nobody is told earlier. */
  #answer(index: number, id: bigint, refusal: Error | undefined): void {
    const waiting = this.#options.pending.take(id);
    if (waiting === undefined) return;
    const members = this.#options.cluster.members();
    const answer = (): void => {
      if (refusal === undefined) waiting.resolve(members);
      else waiting.reject(refusal);
    };
    this.#answers.push({ index, answer, reject: (error) => waiting.reject(error) });
  }
}
