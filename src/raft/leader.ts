import { DecodeError } from '../proto/decode-error.js';
import { decodeConfChange } from './confchange/codec.js';
import {
  asConfChangeV2,
  type ConfChangeV2,
  confChangeText,
  leavesJoint,
} from './confchange/conf-change.js';
import type { EntryPayload, RaftCore } from './core.js';
import { ConfChangeError, RaftError, RaftInvariantError } from './errors.js';
import { VoteResult } from './quorum/majority.js';
import {
  broadcastAppend,
  broadcastHeartbeat,
  maybeCommit,
  maybeSendAppend,
} from './replication.js';
import { type Progress, ProgressState } from './tracker/progress.js';
import { configText } from './tracker/tracker.js';
import { EntryType, idText, type Message, MessageType, NONE, newMessage } from './types.js';

/** Bound on the read requests that wait; those beyond it are dropped and retried by their senders. */
export const MAX_PENDING_READS = 4096;

const NO_DATA = Buffer.alloc(0);

/**
 * A leader's answer to a message of its term.
 * @throws {RaftError} ProposalDropped
 */
export function stepLeader(core: RaftCore, message: Message): void {
  switch (message.type) {
    case MessageType.Beat:
      broadcastHeartbeat(core);
      return;
    case MessageType.CheckQuorum:
      checkQuorum(core);
      return;
    case MessageType.Prop:
      propose(core, message.entries);
      return;
    case MessageType.ReadIndex:
      handleReadIndex(core, message);
      return;
    default: {
      const progress = core.tracker.get(message.from);
      if (progress !== undefined) stepFromMember(core, message, progress);
    }
  }
}

function stepFromMember(core: RaftCore, message: Message, progress: Progress): void {
  switch (message.type) {
    case MessageType.AppResp:
      progress.recentActive = true;
      if (message.reject) handleAppendRejected(core, message, progress);
      else handleAppendAccepted(core, message, progress);
      return;
    case MessageType.HeartbeatResp:
      handleHeartbeatResponse(core, message, progress);
      return;
    case MessageType.SnapStatus:
      handleSnapshotStatus(core, message, progress);
      return;
    case MessageType.Unreachable:
      // Appends in flight are probably lost.
      if (progress.state === ProgressState.Replicate) progress.becomeProbe();
      core.logger.debug(
        `${idText(core.id)} failed to send message to ${idText(message.from)} ` +
          `because it is unreachable [${progress}]`,
      );
      return;
    case MessageType.TransferLeader:
      handleTransferLeader(core, message, progress);
      return;
    default:
      return;
  }
}

function checkQuorum(core: RaftCore): void {
  if (core.tracker.quorumVote() !== VoteResult.Won) {
    core.logger.warn(`${idText(core.id)} stepped down to follower since quorum is not active`);
    core.becomeFollower(core.term, NONE);
  }
  for (const [id, progress] of core.tracker.ordered) {
    if (id !== core.id) progress.recentActive = false;
  }
}

/**
 * Appends proposals, all or none.
 * @throws {RaftError} ProposalDropped
 */
export function propose(core: RaftCore, payloads: readonly EntryPayload[]): void {
  if (payloads.length === 0) {
    throw new RaftInvariantError(`${idText(core.id)} stepped empty MsgProp`);
  }
  const self = idText(core.id);
  // A leader that was removed from the configuration.
  if (core.tracker.get(core.id) === undefined) throw new RaftError('ProposalDropped');
  if (core.leadTransferee !== NONE) {
    core.logger.debug(
      `${self} [term ${core.term}] transfer leadership to ${idText(core.leadTransferee)} ` +
        'is in progress; dropping proposal',
    );
    throw new RaftError('ProposalDropped');
  }
  const admitted = admitConfChanges(core, payloads);
  let bytes = 0;
  for (const { data } of admitted) bytes += data.length;
  if (!core.chargeUncommitted(bytes)) {
    core.logger.warn(
      `${self} appending new entries to log would exceed uncommitted entry size limit; ` +
        'dropping proposal',
    );
    throw new RaftError('ProposalDropped');
  }
  for (const { type, data } of admitted) core.pushProposal(type, data);
  core.acknowledgeOwnAppend();
  broadcastAppend(core);
}

/** Replaces configuration changes that must not be made now by empty entries. */
function admitConfChanges(
  core: RaftCore,
  payloads: readonly EntryPayload[],
): readonly EntryPayload[] {
  if (payloads.every(({ type }) => type === EntryType.Normal)) return payloads;
  return payloads.map((payload, position) => {
    if (payload.type === EntryType.Normal) return payload;
    const change = readConfChange(core, payload);
    const refusal = refuseConfChange(core, change);
    if (refusal !== undefined && !core.config.disableConfChangeValidation) {
      core.logger.info(
        `${idText(core.id)} ignoring conf change ${confChangeText(change)} ` +
          `at config ${configText(core.tracker.config)}: ${refusal}`,
      );
      return { type: EntryType.Normal, data: NO_DATA };
    }
    core.pendingConfIndex = core.log.lastIndex() + position + 1;
    return payload;
  });
}

/** A change that nobody can read must not enter the log: applying it would stop every member. */
function readConfChange(core: RaftCore, payload: EntryPayload): ConfChangeV2 {
  try {
    return asConfChangeV2(decodeConfChange(payload));
  } catch (error) {
    if (!(error instanceof DecodeError || error instanceof ConfChangeError)) throw error;
    core.logger.error(
      `${idText(core.id)} dropping malformed conf change proposal: ${error.message}`,
    );
    throw new RaftError('ProposalDropped');
  }
}

function refuseConfChange(core: RaftCore, change: ConfChangeV2): string | undefined {
  const { applied } = core.log;
  const { isJoint } = core.tracker.config.voters;
  if (core.pendingConfIndex > applied) {
    return `possible unapplied conf change at index ${core.pendingConfIndex} (applied to ${applied})`;
  }
  if (isJoint && !leavesJoint(change)) return 'must transition out of joint config first';
  if (!isJoint && change.changes.length === 0) {
    return 'not in joint state; refusing empty conf change';
  }
  return undefined;
}

function handleAppendRejected(core: RaftCore, message: Message, progress: Progress): void {
  const self = idText(core.id);
  const peer = idText(message.from);
  core.logger.debug(
    `${self} received MsgAppResp(rejected, hint: (index ${message.rejectHint}, ` +
      `term ${message.logTerm})) from ${peer} for index ${message.index}`,
  );
  // The follower's hint, moved back over all own entries of terms newer than the one it names.
  const next =
    message.logTerm > 0
      ? core.log.findConflictByTerm(message.rejectHint, message.logTerm).index
      : message.rejectHint;
  if (!progress.maybeDecreaseTo(message.index, next)) return;
  core.logger.debug(`${self} decreased progress of ${peer} to [${progress}]`);
  if (progress.state === ProgressState.Replicate) progress.becomeProbe();
  maybeSendAppend(core, message.from, progress, true);
}

function handleAppendAccepted(core: RaftCore, message: Message, progress: Progress): void {
  const confirmsProbe = progress.match === message.index && progress.state === ProgressState.Probe;
  if (!progress.maybeUpdate(message.index) && !confirmsProbe) return;
  advanceState(core, message, progress);
  const isOwn = message.from === core.id;
  if (maybeCommit(core)) {
    releasePostponedReads(core);
    broadcastAppend(core);
  } else if (!isOwn && progress.canBumpCommit(core.log.committed)) {
    maybeSendAppend(core, message.from, progress, true);
  }
  if (!isOwn) {
    // The acknowledgement may have made room for more than one append.
    while (maybeSendAppend(core, message.from, progress, false));
  }
  if (message.from === core.leadTransferee && progress.match === core.log.lastIndex()) {
    core.logger.info(
      `${idText(core.id)} sent MsgTimeoutNow to ${idText(message.from)} after received MsgAppResp`,
    );
    sendTimeoutNow(core, message.from);
  }
}

function advanceState(core: RaftCore, message: Message, progress: Progress): void {
  if (progress.state === ProgressState.Probe) {
    progress.becomeReplicate();
  } else if (progress.state === ProgressState.Replicate) {
    progress.inflights.freeThrough(message.index);
  } else if (progress.match + 1 >= core.log.firstIndex()) {
    // Whatever snapshot the follower got, and from whom: its log now reaches ours again.
    core.logger.debug(
      `${idText(core.id)} recovered from needing snapshot, resumed sending replication messages ` +
        `to ${idText(message.from)} [${progress}]`,
    );
    progress.becomeProbe();
    progress.becomeReplicate();
  }
}

function handleHeartbeatResponse(core: RaftCore, message: Message, progress: Progress): void {
  progress.recentActive = true;
  progress.appendsPaused = false;
  // An append may have been lost; this one, empty if the window is full, brings the rejection.
  if (progress.match < core.log.lastIndex() || progress.state === ProgressState.Probe) {
    maybeSendAppend(core, message.from, progress, true);
  }
  if (core.config.readOnlyOption !== 'safe' || message.context.length === 0) return;
  core.readOnly.acknowledge(message.from, message.context);
  for (const read of core.readOnly.takeConfirmed(core.tracker.config.voters)) {
    answerRead(core, read.request, read.index);
  }
}

function handleSnapshotStatus(core: RaftCore, message: Message, progress: Progress): void {
  if (progress.state !== ProgressState.Snapshot) return;
  if (message.reject) progress.pendingSnapshot = 0;
  progress.becomeProbe();
  core.logger.debug(
    `${idText(core.id)} snapshot ${message.reject ? 'failed' : 'succeeded'}, resumed sending ` +
      `replication messages to ${idText(message.from)} [${progress}]`,
  );
  // After a success the follower will answer by itself; after a failure a heartbeat retries.
  progress.appendsPaused = true;
}

function handleTransferLeader(core: RaftCore, message: Message, progress: Progress): void {
  const self = idText(core.id);
  const transferee = message.from;
  const peer = idText(transferee);
  if (progress.isLearner) {
    core.logger.debug(`${self} is learner. Ignored transferring leadership`);
    return;
  }
  const previous = core.leadTransferee;
  if (previous !== NONE) {
    if (previous === transferee) {
      core.logger.info(
        `${self} [term ${core.term}] transfer leadership to ${peer} is in progress, ` +
          `ignores request to same node ${peer}`,
      );
      return;
    }
    core.abortLeaderTransfer();
    core.logger.info(
      `${self} [term ${core.term}] abort previous transferring leadership to ${idText(previous)}`,
    );
  }
  if (transferee === core.id) {
    core.logger.debug(`${self} is already leader. Ignored transferring leadership to self`);
    return;
  }
  core.logger.info(`${self} [term ${core.term}] starts to transfer leadership to ${peer}`);
  // The transfer is given up after one election timeout from here.
  core.electionElapsed = 0;
  core.leadTransferee = transferee;
  if (progress.match === core.log.lastIndex()) {
    sendTimeoutNow(core, transferee);
    core.logger.info(
      `${self} sends MsgTimeoutNow to ${peer} immediately as ${peer} already has up-to-date log`,
    );
  } else {
    maybeSendAppend(core, transferee, progress, true);
  }
}

function sendTimeoutNow(core: RaftCore, to: bigint): void {
  core.send(newMessage(MessageType.TimeoutNow, to));
}

function handleReadIndex(core: RaftCore, request: Message): void {
  if (core.tracker.isSingleVoter) {
    answerRead(core, request, core.log.committed);
    return;
  }
  // Until it has committed in its term, a leader may not know of all that is committed.
  if (core.log.term(core.log.committed) !== core.term) {
    if (core.postponedReads.length < MAX_PENDING_READS) core.postponedReads.push(request);
    return;
  }
  confirmRead(core, request);
}

function releasePostponedReads(core: RaftCore): void {
  if (core.postponedReads.length === 0) return;
  const requests = core.postponedReads;
  core.postponedReads = [];
  for (const request of requests) confirmRead(core, request);
}

function confirmRead(core: RaftCore, request: Message): void {
  if (core.config.readOnlyOption === 'lease-based') {
    answerRead(core, request, core.log.committed);
    return;
  }
  if (core.readOnly.length >= MAX_PENDING_READS) return;
  core.readOnly.add(core.log.committed, request);
  const token = core.readOnly.token();
  if (token !== undefined) core.readOnly.acknowledge(core.id, token);
  broadcastHeartbeat(core);
}

function answerRead(core: RaftCore, request: Message, index: number): void {
  if (request.from === NONE || request.from === core.id) {
    const [entry] = request.entries;
    core.readStates.push({ index, context: entry?.data ?? NO_DATA });
    return;
  }
  const response = newMessage(MessageType.ReadIndexResp, request.from);
  response.index = index;
  response.entries = request.entries;
  core.send(response);
}
