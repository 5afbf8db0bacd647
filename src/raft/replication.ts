import type { RaftCore } from './core.js';
import { payloadSize } from './entry-size.js';
import { RaftError, RaftInvariantError } from './errors.js';
import { type Progress, ProgressState } from './tracker/progress.js';
import { type Entry, idText, MessageType, NO_ENTRIES, newMessage, type Snapshot } from './types.js';

/** Sends the next append, or a snapshot, to every other member. */
export function broadcastAppend(core: RaftCore): void {
  for (const [id, progress] of core.tracker.ordered) {
    if (id !== core.id) maybeSendAppend(core, id, progress, true);
  }
}

/** Sends to every other member that lacks entries. */
export function broadcastMissingEntries(core: RaftCore): void {
  for (const [id, progress] of core.tracker.ordered) {
    if (id !== core.id) maybeSendAppend(core, id, progress, false);
  }
}

/**
 * Sends the next entries to a follower unless its flow is paused. An append without entries, which
 * conveys the commit index, is sent only if `sendIfEmpty`. A follower whose next entry was compacted
 * away gets a snapshot instead. Returns whether something was sent.
 */
export function maybeSendAppend(
  core: RaftCore,
  to: bigint,
  progress: Progress,
  sendIfEmpty: boolean,
): boolean {
  if (progress.paused) return false;
  const previousIndex = progress.next - 1;
  const previousTerm = core.log.term(previousIndex);
  if (previousTerm === undefined) return maybeSendSnapshot(core, to, progress);
  // With a full window, only an empty append goes out: it keeps the follower's answers coming.
  const throttled = progress.state === ProgressState.Replicate && progress.inflights.full;
  const entries = throttled ? NO_ENTRIES : readEntries(core, progress.next);
  if (entries === undefined) {
    return sendIfEmpty && maybeSendSnapshot(core, to, progress);
  }
  if (entries.length === 0 && !sendIfEmpty) return false;
  const message = newMessage(MessageType.App, to);
  message.index = previousIndex;
  message.logTerm = previousTerm;
  message.entries = entries;
  message.commit = core.log.committed;
  core.send(message);
  progress.sentEntries(entries.length, payloadSize(entries));
  progress.sentCommit = core.log.committed;
  return true;
}

/** Entries from `low` on, bounded by the message size; undefined if storage compacted them away. */
function readEntries(core: RaftCore, low: number): readonly Entry[] | undefined {
  try {
    return core.log.entries(low, core.config.maxSizePerMessage);
  } catch (error) {
    if (error instanceof RaftError && error.code === 'Compacted') return undefined;
    throw error;
  }
}

function maybeSendSnapshot(core: RaftCore, to: bigint, progress: Progress): boolean {
  const self = idText(core.id);
  const peer = idText(to);
  if (!progress.recentActive) {
    core.logger.debug(`ignore sending snapshot to ${peer} since it is not recently active`);
    return false;
  }
  const snapshot = readSnapshot(core);
  if (snapshot === undefined) {
    core.logger.debug(
      `${self} failed to send snapshot to ${peer} because snapshot is temporarily unavailable`,
    );
    return false;
  }
  if (snapshot.index === 0) throw new RaftInvariantError('need non-empty snapshot');
  core.logger.debug(
    `${self} [firstindex: ${core.log.firstIndex()}, commit: ${core.log.committed}] ` +
      `sent snapshot[index: ${snapshot.index}, term: ${snapshot.term}] to ${peer} [${progress}]`,
  );
  progress.becomeSnapshot(snapshot.index);
  core.logger.debug(`${self} paused sending replication messages to ${peer} [${progress}]`);
  const message = newMessage(MessageType.Snap, to);
  message.snapshot = snapshot;
  core.send(message);
  return true;
}

function readSnapshot(core: RaftCore): Snapshot | undefined {
  try {
    return core.log.snapshot();
  } catch (error) {
    if (error instanceof RaftError && error.code === 'SnapshotTemporarilyUnavailable') {
      return undefined;
    }
    throw error;
  }
}

/** Sends a heartbeat to every other member, with the token of pending reads if there are any. */
export function broadcastHeartbeat(core: RaftCore): void {
  const token = core.readOnly.token();
  for (const [id, progress] of core.tracker.ordered) {
    if (id === core.id) continue;
    // A follower must not learn of a commit beyond what it is known to hold.
    const commit = Math.min(progress.match, core.log.committed);
    const message = newMessage(MessageType.Heartbeat, id);
    message.commit = commit;
    if (token !== undefined) message.context = token;
    core.send(message);
    progress.sentCommit = commit;
  }
}

/** Commits what the quorum holds of this term's entries. Returns whether the commit advanced. */
export function maybeCommit(core: RaftCore): boolean {
  return core.log.maybeCommit(core.tracker.committedIndex(), core.term);
}
