import { EMPTY_BYTES } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import { DecodeError } from '../../proto/decode-error.js';
import { Snapshot as WireSnapshot } from '../../proto/gen/raftpb/raft.js';
import { snapshot as SnapshotEnvelope } from '../../proto/gen/snappb/snap.js';
import { type ConfState, confStateFromWire, confStateToWire } from '../conf-state.js';
import { hex16 } from '../wal/segment-name.js';
import { SnapError } from './snap-error.js';

/** What a `.snap` file holds. */
export interface RaftSnapshot {
  /** The membership as v2 JSON; see v2-store-json.ts. */
  readonly data: Buffer;
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
}

const EMPTY_WIRE_CONF_STATE = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: undefined,
};

/** The bytes of a `.snap` file (reference: formats 2.1). */
export function encodeSnapshotFile(snapshot: RaftSnapshot): Buffer {
  const { data, index, term, confState } = snapshot;
  const metadata = { confState: confStateToWire(confState), index, term };
  const body = WireSnapshot.encode({ data, metadata }).finish();
  return SnapshotEnvelope.encode({ crc: crc32c(body), data: body }).finish();
}

/** @throws {SnapError} empty, crc-mismatch, undecodable */
export function decodeSnapshotFile(bytes: Uint8Array, file?: string): RaftSnapshot {
  if (bytes.length === 0) throw new SnapError('empty', 'snap: empty snapshot', file);
  const { crc = 0, data: body = EMPTY_BYTES } = decode(SnapshotEnvelope, bytes, file);
  if (crc === 0 || body.length === 0) throw new SnapError('empty', 'snap: empty snapshot', file);
  if (crc32c(body) !== crc) throw new SnapError('crc-mismatch', 'snap: crc mismatch', file);
  const { data = EMPTY_BYTES, metadata } = decode(WireSnapshot, body, file);
  const { index = 0, term = 0, confState = EMPTY_WIRE_CONF_STATE } = metadata ?? {};
  return { data, index, term, confState: confStateFromWire(confState) };
}

function decode<T>(codec: { decode(bytes: Uint8Array): T }, bytes: Uint8Array, file?: string): T {
  try {
    return codec.decode(bytes);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new SnapError('undecodable', `snap: cannot decode: ${error.message}`, file, error);
  }
}

/** `<term>-<index>.snap`: byte order of names is order of terms, then indexes. */
export function snapshotFileName(term: number, index: number): string {
  return `${hex16(term)}-${hex16(index)}.snap`;
}

/** `<index>.snap.db`: the database that belongs to a snapshot received from a leader. */
export function snapshotDatabaseName(index: number): string {
  return `${hex16(index)}.snap.db`;
}
