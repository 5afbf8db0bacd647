import { stepCandidate } from './candidate.js';
import type { AnyConfChange } from './confchange/conf-change.js';
import { type RaftConfig, resolveConfig } from './config.js';
import { RaftCore } from './core.js';
import { handleVoteRequest, ignoresVoteRequest, rejectVote, startCampaign } from './election.js';
import { entriesSize, payloadSize } from './entry-size.js';
import { RaftError } from './errors.js';
import { stepFollower } from './follower.js';
import { propose, stepLeader } from './leader.js';
import { applyConfChange, restoreConfiguration } from './membership.js';
import { configText } from './tracker/tracker.js';
import {
  type ConfState,
  EntryType,
  idText,
  type Message,
  MessageType,
  messageTypeName,
  NONE,
  newMessage,
  Role,
  type Snapshot,
} from './types.js';

const NO_DATA = Buffer.alloc(0);

/** Decides, for every message and tick, what the terms demand and which role's code answers. */
export class Raft {
  readonly core: RaftCore;

  /** @throws {RaftInvariantError} for a configuration or a stored state that makes no sense. */
  constructor(config: RaftConfig) {
    const resolved = resolveConfig(config);
    const core = new RaftCore(resolved);
    this.core = core;
    const { hardState, confState } = resolved.storage.initialState();
    restoreConfiguration(core, confState);
    if (hardState !== undefined) core.loadHardState(hardState);
    if (resolved.applied > 0) core.log.appliedTo(resolved.applied, 0);
    core.becomeFollower(core.term, NONE);
    const { log } = core;
    const peers = core.tracker.config.voters.ids.map(idText).join(',');
    core.logger.info(
      `newRaft ${idText(core.id)} [peers: [${peers}], term: ${core.term}, ` +
        `commit: ${log.committed}, applied: ${log.applied}, ` +
        `lastindex: ${log.lastIndex()}, lastterm: ${log.lastTerm()}]`,
    );
  }

  /** One unit of logical time passes. */
  tick(): void {
    if (this.core.role === Role.Leader) this.#tickLeader();
    else this.#tickElection();
  }

  #tickElection(): void {
    const { core } = this;
    core.electionElapsed++;
    if (!core.isPromotable() || core.electionElapsed < core.randomizedElectionTimeout) return;
    core.electionElapsed = 0;
    this.campaign();
  }

  #tickLeader(): void {
    const { core } = this;
    const { electionTick, heartbeatTick, checkQuorum } = core.config;
    core.heartbeatElapsed++;
    core.electionElapsed++;
    if (core.electionElapsed >= electionTick) {
      core.electionElapsed = 0;
      if (checkQuorum) stepLeader(core, newMessage(MessageType.CheckQuorum, core.id));
      if (this.#isLeader) core.abortLeaderTransfer();
    }
    if (this.#isLeader && core.heartbeatElapsed >= heartbeatTick) {
      core.heartbeatElapsed = 0;
      stepLeader(core, newMessage(MessageType.Beat, core.id));
    }
  }

  get #isLeader(): boolean {
    return this.core.role === Role.Leader;
  }

  campaign(): void {
    startCampaign(this.core, this.core.config.preVote ? 'pre-election' : 'election');
  }

  /**
   * Handles one message.
   * @throws {RaftError} ProposalDropped
   */
  step(message: Message): void {
    const { core } = this;
    if (message.term > core.term) {
      if (ignoresVoteRequest(core, message)) return;
      this.#adoptHigherTerm(message);
    } else if (message.term !== 0 && message.term < core.term) {
      this.#answerLowerTerm(message);
      return;
    }
    switch (message.type) {
      case MessageType.Hup:
        this.campaign();
        return;
      case MessageType.Vote:
      case MessageType.PreVote:
        handleVoteRequest(core, message);
        return;
      case MessageType.StorageAppendResp:
        if (message.index !== 0) core.log.unstable.stableTo(message.index, message.logTerm);
        if (message.snapshot !== undefined) this.#appliedSnapshot(message.snapshot);
        return;
      case MessageType.StorageApplyResp:
        this.#appliedEntries(message);
        return;
      default:
        if (core.role === Role.Leader) stepLeader(core, message);
        else if (core.role === Role.Follower) stepFollower(core, message);
        else stepCandidate(core, message);
    }
  }

  #adoptHigherTerm(message: Message): void {
    const { core } = this;
    // Pre-votes name a term that nobody is in yet.
    if (message.type === MessageType.PreVote) return;
    if (message.type === MessageType.PreVoteResp && !message.reject) return;
    core.logger.info(
      `${idText(core.id)} [term: ${core.term}] received a ${messageTypeName(message.type)} ` +
        `message with higher term from ${idText(message.from)} [term: ${message.term}]`,
    );
    const fromLeader =
      message.type === MessageType.App ||
      message.type === MessageType.Heartbeat ||
      message.type === MessageType.Snap;
    core.becomeFollower(message.term, fromLeader ? message.from : NONE);
  }

  #answerLowerTerm(message: Message): void {
    const { core } = this;
    const { type } = message;
    const { checkQuorum, preVote } = core.config;
    if ((checkQuorum || preVote) && (type === MessageType.Heartbeat || type === MessageType.App)) {
      // A stale leader that nobody may depose by a vote learns of the term from this answer.
      core.send(newMessage(MessageType.AppResp, message.from));
    } else if (type === MessageType.PreVote) {
      // Silence could leave members of different terms waiting for each other.
      rejectVote(core, message);
    } else if (type === MessageType.StorageAppendResp) {
      // The entries may have been replaced since; a snapshot, being committed, cannot have been.
      if (message.index !== 0) {
        core.logger.info(
          `${idText(core.id)} [term: ${core.term}] ignored entry appends from a ` +
            `${messageTypeName(type)} message with lower term [term: ${message.term}]`,
        );
      }
      if (message.snapshot !== undefined) this.#appliedSnapshot(message.snapshot);
    } else {
      core.logger.info(
        `${idText(core.id)} [term: ${core.term}] ignored a ${messageTypeName(type)} message ` +
          `with lower term from ${idText(message.from)} [term: ${message.term}]`,
      );
    }
  }

  #appliedEntries(message: Message): void {
    const last = message.entries.at(-1);
    if (last === undefined) return;
    this.#appliedTo(last.index, entriesSize(message.entries));
    this.core.reduceUncommitted(payloadSize(message.entries));
  }

  #appliedSnapshot(snapshot: Snapshot): void {
    this.core.log.unstable.stableSnapshotTo(snapshot.index);
    this.#appliedTo(snapshot.index, 0);
  }

  #appliedTo(index: number, size: number): void {
    const { core } = this;
    const applied = Math.max(index, core.log.applied);
    core.log.appliedTo(applied, size);
    const { config } = core.tracker;
    if (!config.autoLeave || applied < core.pendingConfIndex || !this.#isLeader) return;
    this.#leaveJointConfiguration();
  }

  /** Retried at every later apply if the proposal is dropped. */
  #leaveJointConfiguration(): void {
    const { core } = this;
    const config = configText(core.tracker.config);
    try {
      propose(core, [{ type: EntryType.ConfChangeV2, data: NO_DATA }]);
    } catch (error) {
      if (!(error instanceof RaftError)) throw error;
      core.logger.debug(
        `not initiating automatic transition out of joint configuration ${config}: ${error.message}`,
      );
      return;
    }
    core.logger.info(`initiating automatic transition out of joint configuration ${config}`);
  }

  /** @throws {ConfChangeError} if the present configuration does not allow the change. */
  applyConfChange(change: AnyConfChange): ConfState {
    return applyConfChange(this.core, change);
  }
}
