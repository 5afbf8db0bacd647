import type { RaftCore } from './core.js';
import { startCampaign } from './election.js';
import { RaftError } from './errors.js';
import { restoreConfiguration } from './membership.js';
import {
  idText,
  type Message,
  MessageType,
  NONE,
  newMessage,
  Role,
  type Snapshot,
} from './types.js';

/**
 * A follower's answer to a message of its term.
 * @throws {RaftError} ProposalDropped
 */
export function stepFollower(core: RaftCore, message: Message): void {
  switch (message.type) {
    case MessageType.Prop:
      forwardProposal(core, message);
      return;
    case MessageType.App:
      followSender(core, message);
      handleAppendEntries(core, message);
      return;
    case MessageType.Heartbeat:
      followSender(core, message);
      handleHeartbeat(core, message);
      return;
    case MessageType.Snap:
      followSender(core, message);
      handleSnapshot(core, message);
      return;
    case MessageType.TransferLeader:
      forwardToLeader(core, message, 'leader transfer msg');
      return;
    case MessageType.ReadIndex:
      forwardToLeader(core, message, 'index reading msg');
      return;
    case MessageType.ForgetLeader:
      forgetLeader(core);
      return;
    case MessageType.TimeoutNow:
      core.logger.info(
        `${idText(core.id)} [term ${core.term}] received MsgTimeoutNow from ` +
          `${idText(message.from)} and starts an election to get leadership.`,
      );
      // The present leader agreed, so there is nothing that a pre-vote could protect.
      startCampaign(core, 'transfer');
      return;
    case MessageType.ReadIndexResp:
      acceptReadIndex(core, message);
      return;
    default:
      return;
  }
}

function followSender(core: RaftCore, message: Message): void {
  core.electionElapsed = 0;
  core.lead = message.from;
}

function forwardProposal(core: RaftCore, message: Message): void {
  const self = idText(core.id);
  if (core.lead === NONE) {
    core.logger.info(`${self} no leader at term ${core.term}; dropping proposal`);
    throw new RaftError('ProposalDropped');
  }
  if (core.config.disableProposalForwarding) {
    core.logger.info(
      `${self} not forwarding to leader ${idText(core.lead)} at term ${core.term}; ` +
        'dropping proposal',
    );
    throw new RaftError('ProposalDropped');
  }
  message.to = core.lead;
  core.send(message);
}

function forwardToLeader(core: RaftCore, message: Message, what: string): void {
  if (core.lead === NONE) {
    core.logger.info(`${idText(core.id)} no leader at term ${core.term}; dropping ${what}`);
    return;
  }
  message.to = core.lead;
  core.send(message);
}

/** Keeps term and timers; the next heartbeat makes the leader known again. */
function forgetLeader(core: RaftCore): void {
  if (core.config.readOnlyOption === 'lease-based') {
    core.logger.error('ignoring MsgForgetLeader due to ReadOnlyLeaseBased');
    return;
  }
  if (core.lead === NONE) return;
  core.logger.info(
    `${idText(core.id)} forgetting leader ${idText(core.lead)} at term ${core.term}`,
  );
  core.lead = NONE;
}

function acceptReadIndex(core: RaftCore, message: Message): void {
  const [entry] = message.entries;
  if (entry === undefined || message.entries.length !== 1) {
    core.logger.error(
      `${idText(core.id)} invalid format of MsgReadIndexResp from ${idText(message.from)}, ` +
        `entries count: ${message.entries.length}`,
    );
    return;
  }
  core.readStates.push({ index: message.index, context: entry.data });
}

export function handleAppendEntries(core: RaftCore, message: Message): void {
  const { log } = core;
  const response = newMessage(MessageType.AppResp, message.from);
  if (message.index < log.committed) {
    response.index = log.committed;
    core.send(response);
    return;
  }
  const last = log.maybeAppend(message.index, message.logTerm, message.entries, message.commit);
  if (last !== undefined) {
    response.index = last;
    core.send(response);
    return;
  }
  core.logger.debug(
    `${idText(core.id)} [logterm: ${log.term(message.index) ?? 0}, index: ${message.index}] ` +
      `rejected MsgApp [logterm: ${message.logTerm}, index: ${message.index}] ` +
      `from ${idText(message.from)}`,
  );
  // The hint skips, in one step, all entries of terms that the leader's log cannot have there.
  const hint = log.findConflictByTerm(Math.min(message.index, log.lastIndex()), message.logTerm);
  response.index = message.index;
  response.reject = true;
  response.rejectHint = hint.index;
  response.logTerm = hint.term;
  core.send(response);
}

export function handleHeartbeat(core: RaftCore, message: Message): void {
  core.log.commitTo(message.commit);
  const response = newMessage(MessageType.HeartbeatResp, message.from);
  // Trap: leaders of 3.7 decode the context, so it must come back byte for byte.
  response.context = message.context;
  core.send(response);
}

export function handleSnapshot(core: RaftCore, message: Message): void {
  const { snapshot } = message;
  if (snapshot === undefined) return;
  const response = newMessage(MessageType.AppResp, message.from);
  const restored = restoreSnapshot(core, snapshot);
  core.logger.info(
    `${idText(core.id)} [commit: ${core.log.committed}] ${restored ? 'restored' : 'ignored'} ` +
      `snapshot [index: ${snapshot.index}, term: ${snapshot.term}]`,
  );
  response.index = restored ? core.log.lastIndex() : core.log.committed;
  core.send(response);
}

/** Adopts a snapshot. Returns false if it brings nothing or is not for this member. */
function restoreSnapshot(core: RaftCore, snapshot: Snapshot): boolean {
  const { log } = core;
  const self = idText(core.id);
  if (snapshot.index <= log.committed) return false;
  if (core.role !== Role.Follower) {
    core.logger.warn(`${self} attempted to restore snapshot as leader; should never happen`);
    core.becomeFollower(core.term + 1, NONE);
    return false;
  }
  const { voters, learners, votersOutgoing } = snapshot.confState;
  if (![voters, learners, votersOutgoing].some((ids) => ids.includes(core.id))) {
    core.logger.warn(
      `${self} attempted to restore snapshot but it is not in the ConfState; should never happen`,
    );
    return false;
  }
  if (log.matchTerm(snapshot.index, snapshot.term)) {
    core.logger.info(
      `${self} ${logPosition(core)} fast-forwarded commit to snapshot ` +
        `[index: ${snapshot.index}, term: ${snapshot.term}]`,
    );
    log.commitTo(snapshot.index);
    return false;
  }
  log.restore(snapshot);
  restoreConfiguration(core, snapshot.confState);
  core.logger.info(
    `${self} ${logPosition(core)} restored snapshot ` +
      `[index: ${snapshot.index}, term: ${snapshot.term}]`,
  );
  return true;
}

function logPosition({ log }: RaftCore): string {
  return `[commit: ${log.committed}, lastindex: ${log.lastIndex()}, lastterm: ${log.lastTerm()}]`;
}
