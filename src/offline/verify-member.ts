import { join } from 'node:path';
import { silentLogger } from '../base/logger.js';
import type { Fs } from '../platform/fs.js';
import { DecodeError } from '../proto/decode-error.js';
import { InternalRaftRequest } from '../proto/gen/etcdserverpb/raft_internal.js';
import { readRecords } from '../storage/wal/record-reader.js';
import {
  decodeHardState,
  decodeLogEntry,
  decodeSnapshotRecord,
  EMPTY_HARD_STATE,
  type HardState,
  RecordType,
} from '../storage/wal/record-types.js';
import { listSegments } from '../storage/wal/segments.js';
import type { WalError } from '../storage/wal/wal-error.js';
import { findBucket, readDatabase } from './database.js';
import { decodeRow } from './decode-row.js';
import { storageVersionOf, UnknownStorageVersionError } from './storage-version.js';

/** Field 9900 of an InternalRaftRequest, length-delimited. */
const DOWNGRADE_TEST_TAG = Buffer.from([0xe2, 0xea, 0x04]);
/** More of such entries are not looked at. */
const MAX_DEMANDS = 1000;

/** What the log of a member says. */
export interface LogFacts {
  readonly hardState: HardState;
  /** Index of the newest snapshot that the log vouches for. */
  readonly snapshotIndex: number;
  /** Index of its last entry. */
  readonly lastIndex: number;
  /**
   * The etcd that is needed to read what follows that snapshot, as `3.6.0`. All that a log can have
   * is known to 3.5, but for an entry that etcd's own tests write (reference: formats 1.9).
   */
  readonly neededVersion: string;
  /** Set if it stops within a record, as after a power failure; a server repairs that. */
  readonly torn: WalError | undefined;
}

/** What a member's database says of the log. */
export interface BackendFacts {
  readonly consistentIndex: number;
  /** 0 if unknown: etcd 3.4 does not note it. */
  readonly term: number;
  /** As `3.7`; empty if it can't be told. */
  readonly storageVersion: string;
}

export interface MemberVerdict {
  readonly log: LogFacts;
  readonly backend: BackendFacts;
  /** Empty if log and database fit together. */
  readonly problems: readonly string[];
}

/**
 * Reads the log of a member from its beginning, keeping nothing.
 * @throws WalError
 */
export async function readLogFacts(fs: Fs, directory: string): Promise<LogFacts> {
  const segments = await listSegments(fs, directory, silentLogger);
  const snapshots: number[] = [];
  const demands: { index: number; version: string }[] = [];
  let hardState = EMPTY_HARD_STATE;
  let lastIndex = 0;
  const { torn } = await readRecords(fs, directory, segments, (record) => {
    if (record.type === RecordType.State) hardState = decodeHardState(record.data);
    else if (record.type === RecordType.Entry) {
      const { index, data } = decodeLogEntry(record.data);
      lastIndex = index;
      const version = demandedVersion(data);
      if (version !== undefined && demands.length < MAX_DEMANDS) demands.push({ index, version });
    } else if (record.type === RecordType.Snapshot) {
      const { index } = decodeSnapshotRecord(record.data);
      snapshots.push(index);
      lastIndex = Math.max(lastIndex, index);
    }
  });
  const vouched = snapshots.filter((index) => index <= hardState.commit);
  const snapshotIndex = vouched.reduce((left, right) => Math.max(left, right), 0);
  const needed = demands.filter(({ index }) => index > snapshotIndex).map(({ version }) => version);
  const neededVersion = ['3.5.0', ...needed].sort().at(-1) ?? '';
  return { hardState, snapshotIndex, lastIndex, neededVersion, torn };
}

/** The version that a DowngradeVersionTest names; undefined for every other entry. */
function demandedVersion(data: Buffer): string | undefined {
  // Its tag takes three bytes that hardly ever come up otherwise: most entries are not decoded.
  if (!data.includes(DOWNGRADE_TEST_TAG)) return undefined;
  try {
    return InternalRaftRequest.decode(data).downgradeVersionTest?.ver;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/**
 * Whether log and database of a data directory fit together, as etcd's own verification asks
 * (reference: formats 8). Nothing is written and no lock taken: it is for a member at rest.
 * @param walDirectory empty: below the data directory
 * @throws WalError, DatabaseDamage, DatabaseRowError, DatabaseNotFoundError, ErrnoException
 */
export async function verifyMember(
  fs: Fs,
  dataDirectory: string,
  walDirectory: string,
): Promise<MemberVerdict> {
  const wal = walDirectory === '' ? join(dataDirectory, 'member', 'wal') : walDirectory;
  const log = await readLogFacts(fs, wal);
  const problems: string[] = [];
  const backend = await readDatabase(fs, dataDirectory, async (database): Promise<BackendFacts> => {
    const meta = await findBucket(database, 'meta');
    const read = async (name: string): Promise<number> => {
      const key = Buffer.from(name);
      const value = await meta?.get(key);
      if (value === undefined) return 0;
      const row = decodeRow(database.path, 'meta', [key, value]);
      return row.kind === 'number' ? Number(row.value) : 0;
    };
    let storageVersion = '';
    try {
      storageVersion = (await storageVersionOf(database)) ?? '';
    } catch (error) {
      if (!(error instanceof UnknownStorageVersionError)) throw error;
      problems.push(error.message);
    }
    return {
      consistentIndex: await read('consistent_index'),
      term: await read('term'),
      storageVersion,
    };
  });
  return { log, backend, problems: [...problems, ...contradictions(log, backend)] };
}

/**
 * Trap: the commit index in the log may lag behind the database after a crash, for it is written
 * without a sync. Only an index beyond the last entry is wrong.
 */
function contradictions(log: LogFacts, backend: BackendFacts): string[] {
  const { consistentIndex, term } = backend;
  const { hardState, snapshotIndex, lastIndex } = log;
  const problems: string[] = [];
  if (consistentIndex > Math.max(hardState.commit, lastIndex)) {
    problems.push(
      `backend.ConsistentIndex (${consistentIndex}) must be <= WAL.HardState.commit (${hardState.commit})`,
    );
  }
  if (consistentIndex < snapshotIndex) {
    problems.push(
      `backend.ConsistentIndex (${consistentIndex}) must be >= last snapshot index (${snapshotIndex})`,
    );
  }
  if (term > hardState.term) {
    problems.push(`backend.Term (${term}) must be <= WAL.HardState.term (${hardState.term})`);
  }
  return problems;
}
