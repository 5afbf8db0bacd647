import type { Logger } from '../base/logger.js';
import type { ResolvedRaftConfig } from './config.js';
import { RaftInvariantError } from './errors.js';
import { RaftLog } from './log.js';
import { ReadOnlyQueue } from './read-only.js';
import { ProgressTracker } from './tracker/tracker.js';
import {
  type Entry,
  EntryType,
  type HardState,
  idText,
  type Message,
  MessageType,
  messageTypeName,
  NONE,
  newMessage,
  type ReadState,
  Role,
} from './types.js';

/** What a proposal consists of before it has a place in the log. */
export type EntryPayload = Pick<Entry, 'type' | 'data'>;

const NO_DATA = Buffer.alloc(0);

/**
 * The state of one member's Raft and the transitions between roles. What a role does with a message
 * stands in leader.ts, candidate.ts and follower.ts; who gets which message first, in raft.ts.
 */
export class RaftCore {
  readonly id: bigint;
  readonly config: ResolvedRaftConfig;
  readonly logger: Logger;
  readonly log: RaftLog;
  tracker: ProgressTracker;

  term = 0;
  vote = NONE;
  role: Role = Role.Follower;
  /** The leader of this term, or NONE if it is not known. */
  lead = NONE;
  /** Whom the leadership is being handed to; while set, proposals are dropped. */
  leadTransferee = NONE;

  /** Ticks since the election timeout was restarted. */
  electionElapsed = 0;
  /** Ticks since the leader's last heartbeat. */
  heartbeatElapsed = 0;
  /** In [electionTick, 2 * electionTick), drawn anew with every role. */
  randomizedElectionTimeout = 0;

  /** Messages that may leave at once. */
  messages: Message[] = [];
  /** Messages that vouch for state that is not durable yet. */
  messagesAfterAppend: Message[] = [];

  /** Answered read requests that the caller has not taken yet. */
  readStates: ReadState[] = [];
  readOnly = new ReadOnlyQueue();
  /** Read requests that wait for the first commit of this term. */
  postponedReads: Message[] = [];

  /** No configuration change may be proposed before the one at this index is applied. */
  pendingConfIndex = 0;
  /** Payload bytes of the proposals that are not committed and applied yet; an estimate. */
  uncommittedSize = 0;

  constructor(config: ResolvedRaftConfig) {
    this.id = config.id;
    this.config = config;
    this.logger = config.logger;
    this.log = new RaftLog(config.storage, config.logger, config.maxCommittedSizePerReady);
    this.tracker = new ProgressTracker(config.maxInflightMessages, config.maxInflightBytes);
  }

  get isLearner(): boolean {
    return this.tracker.get(this.id)?.isLearner === true;
  }

  hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed };
  }

  /** @throws {RaftInvariantError} if the commit index lies outside of the log. */
  loadHardState(state: HardState): void {
    if (state.commit < this.log.committed || state.commit > this.log.lastIndex()) {
      throw new RaftInvariantError(
        `${idText(this.id)} state.commit ${state.commit} is out of range ` +
          `[${this.log.committed}, ${this.log.lastIndex()}]`,
      );
    }
    this.log.committed = state.commit;
    this.term = state.term;
    this.vote = state.vote;
  }

  /** Whether this member could become leader. */
  isPromotable(): boolean {
    const own = this.tracker.get(this.id);
    return own !== undefined && !own.isLearner && this.log.unstable.snapshot === undefined;
  }

  /**
   * Queues a message. Answers that vouch for something durable wait for the append; they alone may
   * be addressed to this member itself.
   */
  send(message: Message): void {
    if (message.from === NONE) message.from = this.id;
    switch (message.type) {
      case MessageType.PreVote:
        this.#requireTerm(message);
        break;
      case MessageType.Vote:
        this.#requireTerm(message);
        if (this.config.asyncStorageWrites && this.config.holdVoteRequests) {
          this.messagesAfterAppend.push(message);
          return;
        }
        break;
      case MessageType.VoteResp:
      case MessageType.PreVoteResp:
        this.#requireTerm(message);
        this.messagesAfterAppend.push(message);
        return;
      case MessageType.AppResp:
        this.#stampTerm(message);
        this.messagesAfterAppend.push(message);
        return;
      case MessageType.Prop:
      case MessageType.ReadIndex:
        this.#forbidTerm(message);
        break;
      default:
        this.#stampTerm(message);
    }
    if (message.to === this.id) {
      throw new RaftInvariantError(
        `message should not be self-addressed when sending ${messageTypeName(message.type)}`,
      );
    }
    this.messages.push(message);
  }

  #requireTerm(message: Message): void {
    if (message.term === 0) {
      throw new RaftInvariantError(
        `term should be set when sending ${messageTypeName(message.type)}`,
      );
    }
  }

  #forbidTerm(message: Message): void {
    if (message.term !== 0) {
      throw new RaftInvariantError(
        `term should not be set when sending ${messageTypeName(message.type)} ` +
          `(was ${message.term})`,
      );
    }
  }

  #stampTerm(message: Message): void {
    this.#forbidTerm(message);
    message.term = this.term;
  }

  /** What every change of role has in common, except becoming a pre-candidate. */
  #reset(term: number): void {
    if (this.term !== term) {
      this.term = term;
      this.vote = NONE;
    }
    this.lead = NONE;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.resetRandomizedElectionTimeout();
    this.abortLeaderTransfer();
    this.tracker.resetVotes();
    this.tracker.resetProgress(this.id, this.log.lastIndex());
    this.pendingConfIndex = 0;
    this.uncommittedSize = 0;
    this.readOnly = new ReadOnlyQueue();
  }

  resetRandomizedElectionTimeout(): void {
    const { electionTick, random } = this.config;
    this.randomizedElectionTimeout = electionTick + random.integer(electionTick);
  }

  abortLeaderTransfer(): void {
    this.leadTransferee = NONE;
  }

  becomeFollower(term: number, lead: bigint): void {
    this.#reset(term);
    this.lead = lead;
    this.role = Role.Follower;
    this.logger.info(`${idText(this.id)} became follower at term ${this.term}`);
  }

  becomeCandidate(): void {
    this.#refuse(Role.Leader, 'invalid transition [leader -> candidate]');
    this.#reset(this.term + 1);
    this.vote = this.id;
    this.role = Role.Candidate;
    this.logger.info(`${idText(this.id)} became candidate at term ${this.term}`);
  }

  /** Changes neither term nor vote nor timers: nobody must notice a pre-campaign that fails. */
  becomePreCandidate(): void {
    this.#refuse(Role.Leader, 'invalid transition [leader -> pre-candidate]');
    this.tracker.resetVotes();
    this.lead = NONE;
    this.role = Role.PreCandidate;
    this.logger.info(`${idText(this.id)} became pre-candidate at term ${this.term}`);
  }

  becomeLeader(): void {
    this.#refuse(Role.Follower, 'invalid transition [follower -> leader]');
    this.#reset(this.term);
    this.lead = this.id;
    this.role = Role.Leader;
    const own = this.tracker.get(this.id);
    if (own === undefined) throw new RaftInvariantError('a leader must be a member');
    own.becomeReplicate();
    own.recentActive = true;
    // There may be a change among the entries not applied yet; finding out is not worth the scan.
    this.pendingConfIndex = this.log.lastIndex();
    // Only an entry of its own term lets a leader commit those of earlier terms.
    this.pushProposal(EntryType.Normal, NO_DATA);
    this.acknowledgeOwnAppend();
    this.logger.info(`${idText(this.id)} became leader at term ${this.term}`);
  }

  #refuse(role: Role, message: string): void {
    if (this.role === role) throw new RaftInvariantError(message);
  }

  /**
   * Accounts for proposals of `bytes` payload. Returns false, and accounts for nothing, if they do
   * not fit. An empty one always fits, and so does the first one, however large.
   */
  chargeUncommitted(bytes: number): boolean {
    const total = this.uncommittedSize + bytes;
    if (this.uncommittedSize > 0 && bytes > 0 && total > this.config.maxUncommittedSize) {
      return false;
    }
    this.uncommittedSize = total;
    return true;
  }

  reduceUncommitted(bytes: number): void {
    this.uncommittedSize = Math.max(0, this.uncommittedSize - bytes);
  }

  /** Appends one entry of this leader; `acknowledgeOwnAppend` must follow the last one. */
  pushProposal(type: EntryType, data: Buffer): void {
    this.log.push({ type, term: this.term, index: this.log.lastIndex() + 1, data });
  }

  /** Queues the leader's acknowledgement to itself, which counts once its append is durable. */
  acknowledgeOwnAppend(): void {
    const index = this.log.lastIndex();
    const last = this.messagesAfterAppend.at(-1);
    // Of several acknowledgements that become true together the last one says it all.
    if (last?.type === MessageType.AppResp && last.to === this.id && last.term === this.term) {
      last.index = index;
      return;
    }
    const message = newMessage(MessageType.AppResp, this.id);
    message.index = index;
    this.send(message);
  }
}
