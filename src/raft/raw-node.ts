import { type BootstrapPeer, bootstrap } from './bootstrap.js';
import { encodeConfChange } from './confchange/codec.js';
import type { AnyConfChange } from './confchange/conf-change.js';
import type { RaftConfig } from './config.js';
import type { RaftCore } from './core.js';
import { entriesSize } from './entry-size.js';
import { RaftError, RaftInvariantError } from './errors.js';
import { propose } from './leader.js';
import { Raft } from './raft.js';
import type { Ready, StorageAppend, StorageApply } from './ready.js';
import { type RaftStatus, raftStatus } from './status.js';
import {
  type ConfState,
  EMPTY_HARD_STATE,
  type Entry,
  EntryType,
  type HardState,
  isLocalMessage,
  isLocalThread,
  isResponseMessage,
  LOCAL_APPEND_THREAD,
  LOCAL_APPLY_THREAD,
  type Message,
  MessageType,
  NONE,
  newMessage,
  type ReadState,
  Role,
  type Snapshot,
} from './types.js';

const NO_MESSAGES: readonly Message[] = [];
const NO_READ_STATES: readonly ReadState[] = [];

/** What to hand out for a queue that is replaced if it holds anything, and kept if not. */
function takeAll(queue: readonly Message[]): readonly Message[] {
  return queue.length > 0 ? queue : NO_MESSAGES;
}

/**
 * Raft as a state machine: input goes in through `tick`, `step`, `propose` and the like, and what
 * has to be done comes out of `ready`. Nothing here blocks, and nothing here is re-entrant.
 *
 * With `asyncStorageWrites`, the way in which a member uses it, the caller does this:
 *
 *   put in all the input of a turn; then, while (hasReady()):
 *   1. ready = node.ready(). It counts as accepted; there is no `advance`.
 *   2. In any order, and in parallel:
 *      a. send ready.messages to peers at once; none of them vouches for anything not durable.
 *         A leader's appends are among them, so followers write while the leader does.
 *      b. take note of ready.softState and ready.readStates (a read may be served once the index of
 *         its read state is applied).
 *      c. hand ready.append to the disk: write the snapshot, the entries and the hard state, and
 *         sync if append.mustSync. When that is durable, first bring the Storage that Raft reads up
 *         to date (applySnapshot, append, setHardState), then call node.appendDone(append), send
 *         the messages it returns, and start over at hasReady(). Raft does the rest: a single
 *         voter's entries commit here.
 *      d. hand ready.apply to the state machine: apply its entries in order, calling
 *         applyConfChange for every configuration change when its turn comes; then call
 *         node.applyDone(apply), and start over at hasReady().
 *   Appends are carried out and reported in the order in which they were handed out, and so are
 *   applies; none may be skipped. Several of each may be in flight. Raft never hands out an entry
 *   for applying before storage has reported it stable. A snapshot is to be applied to the state
 *   machine before the entries that are handed out after it; Raft holds those back until the
 *   append that carries the snapshot is reported.
 *   A snapshot that the member takes of its own state counts as a starting point only once the hard
 *   state that commits its index is durable; so write both through the same log, in order.
 *   After a crash, appends that were not reported are lost or not, as the disk decides: start a new
 *   RawNode on what storage holds.
 *
 * Without it, `ready` must be followed by: make snapshot, entries and hard state durable, update
 * the Storage, send ready.messages (a leader may send before), apply ready.committedEntries, and
 * call `advance`; only then comes the next `ready`.
 *
 * RaftInvariantError may be thrown by every method: the member must stop.
 */
export class RawNode {
  readonly raft: Raft;
  readonly #core: RaftCore;
  readonly #async: boolean;
  #previousHardState: HardState;
  #previousLead: bigint;
  #previousRole: Role;
  /** Synchronous mode: messages to this member itself that `advance` steps. */
  #stepsOnAdvance: Message[] = [];

  constructor(config: RaftConfig) {
    this.raft = new Raft(config);
    this.#core = this.raft.core;
    this.#async = this.#core.config.asyncStorageWrites;
    this.#previousHardState = this.#core.hardState();
    this.#previousLead = this.#core.lead;
    this.#previousRole = this.#core.role;
  }

  /** Starts a new cluster on empty storage; `peers` must be in ascending order of ids. */
  bootstrap(peers: readonly BootstrapPeer[]): void {
    bootstrap(this.#core, peers);
    this.#previousHardState = EMPTY_HARD_STATE;
  }

  /** One tick passed. */
  tick(): void {
    this.raft.tick();
  }

  /** Campaigns now. */
  campaign(): void {
    this.raft.campaign();
  }

  /**
   * Handles a message from a peer.
   * @throws {RaftError} ProposalDropped; StepLocalMessage and StepPeerNotFound for messages that no
   *   peer, or no such peer, may send.
   */
  step(message: Message): void {
    if (!isLocalThread(message.from)) {
      if (isLocalMessage(message.type)) throw new RaftError('StepLocalMessage');
      if (isResponseMessage(message.type) && this.#core.tracker.get(message.from) === undefined) {
        throw new RaftError('StepPeerNotFound');
      }
    }
    this.raft.step(message);
  }

  /**
   * Proposes an entry. A leader appends it, a follower forwards it; whether it commits is seen when
   * it is applied, or never.
   * @throws {RaftError} ProposalDropped
   */
  propose(data: Buffer): void {
    this.#propose([{ type: EntryType.Normal, term: 0, index: 0, data }]);
  }

  /**
   * Proposes several entries as one batch, all or none: followers get them in one append.
   * @throws {RaftError} ProposalDropped
   */
  proposeBatch(batch: readonly Buffer[]): void {
    if (batch.length === 0) return;
    this.#propose(batch.map((data) => ({ type: EntryType.Normal, term: 0, index: 0, data })));
  }

  /**
   * Proposes a configuration change. One that is not admissible at the moment is replaced by an
   * empty entry.
   * @throws {RaftError} ProposalDropped
   */
  proposeConfChange(change: AnyConfChange): void {
    this.#propose([{ ...encodeConfChange(change), term: 0, index: 0 }]);
  }

  #propose(entries: readonly Entry[]): void {
    if (this.#core.role === Role.Leader) {
      propose(this.#core, entries);
      return;
    }
    const message = newMessage(MessageType.Prop, NONE);
    message.from = this.#core.id;
    message.entries = entries;
    this.raft.step(message);
  }

  /**
   * Switches to the configuration that a committed change leads to. To be called once for every
   * such entry, when its turn to be applied comes; a change that the application refuses is passed
   * with nodeId 0.
   * @throws {ConfChangeError}
   */
  applyConfChange(change: AnyConfChange): ConfState {
    return this.raft.applyConfChange(change);
  }

  /**
   * Asks for an index up to which state must be applied before a read tagged `context` may be
   * served. The answer, a read state, may never come: ask again after a while.
   * Trap: in a cluster with etcd members `context` must be 8 bytes and unique among members
   * (reference: raft A7).
   */
  readIndex(context: Buffer): void {
    const message = newMessage(MessageType.ReadIndex, NONE);
    message.entries = [{ type: EntryType.Normal, term: 0, index: 0, data: context }];
    this.raft.step(message);
  }

  /** Hands the leadership to `transferee`; given up after one election timeout. */
  transferLeader(transferee: bigint): void {
    this.#local(MessageType.TransferLeader, transferee);
  }

  /** Makes a follower forget its leader, so that it may vote for another at once. */
  forgetLeader(): void {
    this.#local(MessageType.ForgetLeader, NONE);
  }

  /** The last messages to `id` were probably lost. */
  reportUnreachable(id: bigint): void {
    this.#local(MessageType.Unreachable, id);
  }

  /** How sending a snapshot to `id` ended. Every snapshot message must be reported on. */
  reportSnapshot(id: bigint, ok: boolean): void {
    const message = newMessage(MessageType.SnapStatus, NONE);
    message.from = id;
    message.reject = !ok;
    this.raft.step(message);
  }

  #local(type: MessageType, from: bigint): void {
    const message = newMessage(type, NONE);
    message.from = from;
    this.raft.step(message);
  }

  /** Whether `ready` would return anything. */
  hasReady(): boolean {
    const core = this.#core;
    return (
      core.messages.length > 0 ||
      core.messagesAfterAppend.length > 0 ||
      core.readStates.length > 0 ||
      core.log.unstable.hasNextEntries() ||
      core.log.hasNextCommittedEntries(!this.#async) ||
      core.log.unstable.nextSnapshot() !== undefined ||
      this.#softStateChanged() ||
      this.#hardStateChanged()
    );
  }

  #softStateChanged(): boolean {
    return this.#core.lead !== this.#previousLead || this.#core.role !== this.#previousRole;
  }

  #hardStateChanged(): boolean {
    const { term, vote, commit } = this.#previousHardState;
    const core = this.#core;
    return core.term !== term || core.vote !== vote || core.log.committed !== commit;
  }

  /** Takes what has to be done. See the class for what the caller owes. */
  ready(): Ready {
    const core = this.#core;
    const { log } = core;
    const softState = this.#softStateChanged() ? { lead: core.lead, role: core.role } : undefined;
    const hardState = this.#hardStateChanged() ? core.hardState() : undefined;
    const entries = log.unstable.nextEntries();
    const previous = this.#previousHardState;
    const mustSync =
      entries.length > 0 || core.vote !== previous.vote || core.term !== previous.term;
    const snapshot = log.unstable.nextSnapshot();
    const committedEntries = log.nextCommittedEntries(!this.#async);
    const ready: Ready = {
      softState,
      hardState,
      readStates: core.readStates.length > 0 ? core.readStates : NO_READ_STATES,
      entries,
      snapshot,
      committedEntries,
      messages: this.#async ? takeAll(core.messages) : this.#messagesForPeers(),
      mustSync,
      append: this.#async ? this.#storageAppend(hardState, entries, snapshot, mustSync) : undefined,
      apply:
        this.#async && committedEntries.length > 0
          ? { entries: committedEntries, response: this.#applyResponse(committedEntries) }
          : undefined,
    };
    this.#accept(ready);
    return ready;
  }

  #messagesForPeers(): readonly Message[] {
    const core = this.#core;
    if (core.messagesAfterAppend.length === 0) return takeAll(core.messages);
    return [
      ...core.messages,
      ...core.messagesAfterAppend.filter((message) => message.to !== core.id),
    ];
  }

  #storageAppend(
    hardState: HardState | undefined,
    entries: readonly Entry[],
    snapshot: Snapshot | undefined,
    mustSync: boolean,
  ): StorageAppend | undefined {
    const { messagesAfterAppend } = this.#core;
    if (
      entries.length === 0 &&
      hardState === undefined &&
      snapshot === undefined &&
      messagesAfterAppend.length === 0
    ) {
      return undefined;
    }
    const response = this.#appendResponse(snapshot);
    if (response !== undefined) messagesAfterAppend.push(response);
    return { hardState, entries, snapshot, mustSync, responses: takeAll(messagesAfterAppend) };
  }

  /**
   * What tells Raft that all its entries up to now are stable. It names the last entry even if that
   * was handed out before: an earlier report is ignored if terms changed in between, and this one
   * makes up for it.
   */
  #appendResponse(snapshot: Snapshot | undefined): Message | undefined {
    const core = this.#core;
    const hasEntries = core.log.unstable.length > 0;
    if (!hasEntries && snapshot === undefined) return undefined;
    const message = newMessage(MessageType.StorageAppendResp, core.id);
    message.from = LOCAL_APPEND_THREAD;
    message.term = core.term;
    if (hasEntries) {
      message.index = core.log.lastIndex();
      message.logTerm = core.log.lastTerm();
    }
    message.snapshot = snapshot;
    return message;
  }

  #applyResponse(entries: readonly Entry[]): Message {
    const message = newMessage(MessageType.StorageApplyResp, this.#core.id);
    message.from = LOCAL_APPLY_THREAD;
    message.entries = entries;
    return message;
  }

  #accept(ready: Ready): void {
    const core = this.#core;
    if (!this.#async) this.#prepareAdvance(ready);
    if (ready.softState !== undefined) {
      this.#previousLead = ready.softState.lead;
      this.#previousRole = ready.softState.role;
    }
    if (ready.hardState !== undefined) this.#previousHardState = ready.hardState;
    if (core.readStates.length > 0) core.readStates = [];
    if (core.messages.length > 0) core.messages = [];
    if (core.messagesAfterAppend.length > 0) core.messagesAfterAppend = [];
    core.log.unstable.acceptInProgress();
    const last = ready.committedEntries.at(-1);
    if (last !== undefined) {
      core.log.acceptApplying(last.index, entriesSize(ready.committedEntries), !this.#async);
    }
  }

  #prepareAdvance(ready: Ready): void {
    const core = this.#core;
    const steps = this.#stepsOnAdvance;
    if (steps.length > 0) {
      throw new RaftInvariantError('two accepted Ready structs without call to Advance');
    }
    for (const message of core.messagesAfterAppend) {
      if (message.to === core.id) steps.push(message);
    }
    const response = this.#appendResponse(ready.snapshot);
    if (response !== undefined) steps.push(response);
    if (ready.committedEntries.length > 0) {
      steps.push(this.#applyResponse(ready.committedEntries));
    }
  }

  /** Synchronous mode: all that the last ready asked for is done. */
  advance(): void {
    if (this.#async) {
      throw new RaftInvariantError('Advance must not be called when using AsyncStorageWrites');
    }
    const steps = this.#stepsOnAdvance;
    this.#stepsOnAdvance = [];
    for (const message of steps) this.raft.step(message);
  }

  /**
   * Asynchronous mode: `append` is durable and visible in the Storage. Returns the messages that
   * may now leave for peers, in order.
   */
  appendDone(append: StorageAppend): readonly Message[] {
    let forPeers: Message[] | undefined;
    for (const message of append.responses) {
      if (message.to === this.#core.id) this.raft.step(message);
      else if (forPeers === undefined) forPeers = [message];
      else forPeers.push(message);
    }
    return forPeers ?? NO_MESSAGES;
  }

  /** Asynchronous mode: `apply` is applied to the state machine. */
  applyDone(apply: StorageApply): void {
    this.raft.step(apply.response);
  }

  status(): RaftStatus {
    return raftStatus(this.#core);
  }
}
