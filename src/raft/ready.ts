import type { Entry, HardState, Message, ReadState, Snapshot, SoftState } from './types.js';

/** What has to reach stable storage in one piece: snapshot first, then entries and hard state. */
export interface StorageAppend {
  /** Absent if it did not change. */
  readonly hardState: HardState | undefined;
  /** May replace entries that storage holds at the same and at higher indexes. */
  readonly entries: readonly Entry[];
  readonly snapshot: Snapshot | undefined;
  /** False if a crash may lose this append: only the commit index moved. */
  readonly mustSync: boolean;
  /**
   * What becomes true once the append is durable, in order: messages for peers, and for this
   * member itself.
   */
  readonly responses: readonly Message[];
}

/** Committed entries for the state machine, in index order. */
export interface StorageApply {
  readonly entries: readonly Entry[];
  /** Tells Raft, once stepped, that the entries are applied. */
  readonly response: Message;
}

/** Everything that Raft wants done at one point in time. See RawNode for the order. */
export interface Ready {
  readonly softState: SoftState | undefined;
  readonly hardState: HardState | undefined;
  readonly readStates: readonly ReadState[];
  readonly entries: readonly Entry[];
  readonly snapshot: Snapshot | undefined;
  readonly committedEntries: readonly Entry[];
  readonly messages: readonly Message[];
  readonly mustSync: boolean;
  /** Only with asynchronous storage writes. */
  readonly append: StorageAppend | undefined;
  /** Only with asynchronous storage writes. */
  readonly apply: StorageApply | undefined;
}
