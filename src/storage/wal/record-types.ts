import { DecodeError } from '../../proto/decode-error.js';
import { Metadata } from '../../proto/gen/etcdserverpb/etcdserver.js';
import { HardState as WireHardState } from '../../proto/gen/raftpb/raft.js';
import { Snapshot as WireSnapshot } from '../../proto/gen/walpb/record.js';
import { decodeEntry, type EntryFields } from '../../proto/hot/entry.js';
import { bigintVarintSize, varintSize } from '../../proto/wire/varint.js';
import { type ConfState, confStateFromWire, confStateToWire } from '../conf-state.js';

/** Kinds of records; the numbers are those on disk (reference: formats 1.4). */
export const RecordType = { Metadata: 1, Entry: 2, State: 3, Crc: 4, Snapshot: 5 } as const;

/** Normal, ConfChange, ConfChangeV2. */
const MAX_ENTRY_TYPE = 2;

/** Raft's vote, term and commit index. `vote` is 0 if none was cast in `term`. */
export interface HardState {
  readonly term: number;
  readonly vote: bigint;
  readonly commit: number;
}

export const EMPTY_HARD_STATE: HardState = { term: 0, vote: 0n, commit: 0 };

/** The fact, noted in the log, that the state up to `index` is safe elsewhere. */
export interface SnapshotRecord {
  readonly index: number;
  readonly term: number;
  /** Absent in the first record of a log, (0, 0), and in all that etcd 3.4 wrote. */
  readonly confState: ConfState | undefined;
}

/** Whose log it is: the content of the metadata records. */
export interface WalIdentity {
  readonly memberId: bigint;
  readonly clusterId: bigint;
}

export function isEmptyHardState(state: HardState): boolean {
  return state.term === 0 && state.vote === 0n && state.commit === 0;
}

/** Bytes of a state record's data: all three fields, zero or not, as every etcd writes them. */
export function hardStateBytes(state: HardState): number {
  return 3 + varintSize(state.term) + bigintVarintSize(state.vote) + varintSize(state.commit);
}

/**
 * The CRC of a record does not cover its type, so that a record of another type is told here by
 * what no state can look like.
 *
 * @throws DecodeError
 */
export function decodeHardState(bytes: Uint8Array): HardState {
  const { term = 0, vote = 0n, commit = 0 } = WireHardState.decode(bytes);
  const state = { term, vote, commit };
  if (term === 0 || bytes.length !== hardStateBytes(state)) {
    throw new DecodeError('not a hard state', 0);
  }
  return state;
}

/** @throws DecodeError */
export function decodeLogEntry(bytes: Uint8Array): EntryFields {
  const entry = decodeEntry(bytes);
  const { type, term, index } = entry;
  if (index === 0 || term === 0 || type < 0 || type > MAX_ENTRY_TYPE) {
    throw new DecodeError('not an entry', 0);
  }
  return entry;
}

/** Index and term are always written, as its readers demand since 3.5. */
export function encodeSnapshotRecord(snapshot: SnapshotRecord): Buffer {
  const { index, term, confState } = snapshot;
  return WireSnapshot.encode({
    index,
    term,
    confState: confState === undefined ? undefined : confStateToWire(confState),
  }).finish();
}

/** @throws DecodeError */
export function decodeSnapshotRecord(bytes: Uint8Array): SnapshotRecord {
  const { index = 0, term = 0, confState } = WireSnapshot.decode(bytes);
  return {
    index,
    term,
    confState: confState === undefined ? undefined : confStateFromWire(confState),
  };
}

export function encodeWalIdentity(identity: WalIdentity): Buffer {
  return Metadata.encode({ NodeID: identity.memberId, ClusterID: identity.clusterId }).finish();
}

/** @throws DecodeError */
export function decodeWalIdentity(metadata: Uint8Array): WalIdentity {
  const { NodeID = 0n, ClusterID = 0n } = Metadata.decode(metadata);
  return { memberId: NodeID, clusterId: ClusterID };
}
