import { EMPTY_BYTES } from '../base/bytes.js';

/** A member id that stands for "nobody". Real ids are never zero. */
export const NONE = 0n;
/** The pretended sender of storage-append responses (reference: raft A1). */
export const LOCAL_APPEND_THREAD = 0xffff_ffff_ffff_ffffn;
/** The pretended sender of storage-apply responses. */
export const LOCAL_APPLY_THREAD = 0xffff_ffff_ffff_fffen;

/** What an entry carries; the numbers are those of the wire and of the WAL. */
export const EntryType = { Normal: 0, ConfChange: 1, ConfChangeV2: 2 } as const;
export type EntryType = (typeof EntryType)[keyof typeof EntryType];

/** One slot of the replicated log. Immutable once it is in the log. */
export interface Entry {
  readonly type: EntryType;
  readonly term: number;
  readonly index: number;
  /** Opaque to Raft except for configuration changes; empty, never absent. */
  readonly data: Buffer;
}

/** What must survive a restart besides the log. `vote` is NONE if no vote was cast in `term`. */
export interface HardState {
  readonly term: number;
  readonly vote: bigint;
  readonly commit: number;
}

export const EMPTY_HARD_STATE: HardState = { term: 0, vote: NONE, commit: 0 };

/** Volatile facts that others like to know. */
export interface SoftState {
  /** The known leader, or NONE. */
  readonly lead: bigint;
  readonly role: Role;
}

export const Role = { Follower: 0, Candidate: 1, Leader: 2, PreCandidate: 3 } as const;
export type Role = (typeof Role)[keyof typeof Role];

/** The membership as Raft sees it; the lists hold no duplicates. */
export interface ConfState {
  readonly voters: readonly bigint[];
  readonly learners: readonly bigint[];
  /** Voters of the configuration being left; empty when not joint. */
  readonly votersOutgoing: readonly bigint[];
  /** Outgoing voters that become learners when the joint configuration is left. */
  readonly learnersNext: readonly bigint[];
  /** Whether the leader leaves the joint configuration by itself. */
  readonly autoLeave: boolean;
}

export const EMPTY_CONF_STATE: ConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

/** The state at `index`, which replaces all entries up to it. */
export interface Snapshot {
  readonly data: Buffer;
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
}

/** Answer to a read-index request: reads tagged `context` may be served once `index` is applied. */
export interface ReadState {
  readonly index: number;
  readonly context: Buffer;
}

/** Message types; the numbers are those of the wire (reference: raft A3). */
export const MessageType = {
  Hup: 0,
  Beat: 1,
  Prop: 2,
  App: 3,
  AppResp: 4,
  Vote: 5,
  VoteResp: 6,
  Snap: 7,
  Heartbeat: 8,
  HeartbeatResp: 9,
  Unreachable: 10,
  SnapStatus: 11,
  CheckQuorum: 12,
  TransferLeader: 13,
  TimeoutNow: 14,
  ReadIndex: 15,
  ReadIndexResp: 16,
  PreVote: 17,
  PreVoteResp: 18,
  StorageAppend: 19,
  StorageAppendResp: 20,
  StorageApply: 21,
  StorageApplyResp: 22,
  ForgetLeader: 23,
} as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

const NAMES: readonly string[] = Object.keys(MessageType).map((name) => `Msg${name}`);

/** The name that logs, metrics and tests use: `MsgApp`. */
export function messageTypeName(type: MessageType): string {
  return NAMES[type] ?? String(type);
}

/** A message between members, or between a member and its own storage. */
export interface Message {
  type: MessageType;
  to: bigint;
  from: bigint;
  /** Zero for messages that have no term (proposals, read-index requests, local ones). */
  term: number;
  logTerm: number;
  index: number;
  entries: readonly Entry[];
  commit: number;
  vote: bigint;
  snapshot: Snapshot | undefined;
  reject: boolean;
  rejectHint: number;
  context: Buffer;
}

export const NO_ENTRIES: readonly Entry[] = [];

/**
 * A message with every field in its zero value. All messages are made here, so that they share one
 * shape in memory.
 */
export function newMessage(type: MessageType, to: bigint): Message {
  return {
    type,
    to,
    from: NONE,
    term: 0,
    logTerm: 0,
    index: 0,
    entries: NO_ENTRIES,
    commit: 0,
    vote: NONE,
    snapshot: undefined,
    reject: false,
    rejectHint: 0,
    context: EMPTY_BYTES,
  };
}

/** Whether `id` is one of the pretended local threads. */
export function isLocalThread(id: bigint): boolean {
  return id === LOCAL_APPEND_THREAD || id === LOCAL_APPLY_THREAD;
}

/** Types that only a member itself may send to itself; from the network they are refused. */
export function isLocalMessage(type: MessageType): boolean {
  switch (type) {
    case MessageType.Hup:
    case MessageType.Beat:
    case MessageType.Unreachable:
    case MessageType.SnapStatus:
    case MessageType.CheckQuorum:
    case MessageType.StorageAppend:
    case MessageType.StorageAppendResp:
    case MessageType.StorageApply:
    case MessageType.StorageApplyResp:
      return true;
    default:
      return false;
  }
}

/** Types that answer another message; they are refused from a sender that is not tracked. */
export function isResponseMessage(type: MessageType): boolean {
  switch (type) {
    case MessageType.AppResp:
    case MessageType.VoteResp:
    case MessageType.HeartbeatResp:
    case MessageType.Unreachable:
    case MessageType.ReadIndexResp:
    case MessageType.PreVoteResp:
    case MessageType.StorageAppendResp:
    case MessageType.StorageApplyResp:
      return true;
    default:
      return false;
  }
}

/** An id as logs print it: lowercase hex without padding. */
export function idText(id: bigint): string {
  return id.toString(16);
}
