import type { RaftCore } from './core.js';
import { campaign } from './election.js';
import { RaftError } from './errors.js';
import { handleAppendEntries, handleHeartbeat, handleSnapshot } from './follower.js';
import { VoteResult } from './quorum/majority.js';
import { broadcastAppend } from './replication.js';
import { idText, type Message, MessageType, messageTypeName, NONE, Role } from './types.js';

/**
 * A candidate's or pre-candidate's answer to a message of its term.
 * @throws {RaftError} ProposalDropped
 */
export function stepCandidate(core: RaftCore, message: Message): void {
  switch (message.type) {
    case MessageType.Prop:
      core.logger.info(`${idText(core.id)} no leader at term ${core.term}; dropping proposal`);
      throw new RaftError('ProposalDropped');
    case MessageType.App:
      core.becomeFollower(message.term, message.from);
      handleAppendEntries(core, message);
      return;
    case MessageType.Heartbeat:
      core.becomeFollower(message.term, message.from);
      handleHeartbeat(core, message);
      return;
    case MessageType.Snap:
      core.becomeFollower(message.term, message.from);
      handleSnapshot(core, message);
      return;
    case MessageType.PreVoteResp:
      if (core.role === Role.PreCandidate) handleVoteResponse(core, message);
      return;
    case MessageType.VoteResp:
      if (core.role === Role.Candidate) handleVoteResponse(core, message);
      return;
    case MessageType.TimeoutNow:
      core.logger.debug(
        `${idText(core.id)} [term ${core.term}] ignored MsgTimeoutNow from ${idText(message.from)}`,
      );
      return;
    default:
      return;
  }
}

function handleVoteResponse(core: RaftCore, message: Message): void {
  const self = idText(core.id);
  const type = messageTypeName(message.type);
  const outcome = message.reject ? `${type} rejection` : type;
  core.logger.info(`${self} received ${outcome} from ${idText(message.from)} at term ${core.term}`);
  core.tracker.recordVote(message.from, !message.reject);
  const { granted, rejected, result } = core.tracker.tallyVotes();
  core.logger.info(`${self} has received ${granted} ${type} votes and ${rejected} vote rejections`);
  if (result === VoteResult.Lost) {
    // The term of a pre-vote answer lies ahead of the own one; stay in the own.
    core.becomeFollower(core.term, NONE);
  } else if (result === VoteResult.Won) {
    if (core.role === Role.PreCandidate) {
      campaign(core, 'election');
    } else {
      core.becomeLeader();
      broadcastAppend(core);
    }
  }
}
