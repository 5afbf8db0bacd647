import { join } from 'node:path';
import { silentLogger } from '../base/logger.js';
import type { Fs } from '../platform/fs.js';
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

/** What the log of a member says. */
export interface LogFacts {
  readonly hardState: HardState;
  /** Index of the newest snapshot that the log vouches for. */
  readonly snapshotIndex: number;
  /** Index of its last entry. */
  readonly lastIndex: number;
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
  let hardState = EMPTY_HARD_STATE;
  let lastIndex = 0;
  const { torn } = await readRecords(fs, directory, segments, (record) => {
    if (record.type === RecordType.State) hardState = decodeHardState(record.data);
    else if (record.type === RecordType.Entry) lastIndex = decodeLogEntry(record.data).index;
    else if (record.type === RecordType.Snapshot) {
      const { index } = decodeSnapshotRecord(record.data);
      snapshots.push(index);
      lastIndex = Math.max(lastIndex, index);
    }
  });
  const vouched = snapshots.filter((index) => index <= hardState.commit);
  return { hardState, snapshotIndex: Math.max(0, ...vouched), lastIndex, torn };
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
