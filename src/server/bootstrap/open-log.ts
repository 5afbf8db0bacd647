import { EMPTY_BYTES } from '../../base/bytes.js';
import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import type { Fs } from '../../platform/fs.js';
import { MemoryStorage } from '../../raft/memory-storage.js';
import type { ConfState, Entry } from '../../raft/types.js';
import { validSnapshots, WAL_BEGINNING, type WalStart } from '../../storage/wal/reader.js';
import {
  decodeWalIdentity,
  encodeWalIdentity,
  type WalIdentity,
} from '../../storage/wal/record-types.js';
import { readWalWithRepair } from '../../storage/wal/repair.js';
import { haveWal } from '../../storage/wal/segments.js';
import { WalError } from '../../storage/wal/wal-error.js';
import { type WalMetrics, WalWriter, type WalWriterOptions } from '../../storage/wal/writer.js';

export interface LogOptions {
  readonly fs: Fs;
  readonly directory: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly unsafeNoFsync: boolean;
  /** Length at which a segment of the log is cut, bytes; default etcd's. */
  readonly segmentBytes?: number;
  readonly metrics?: WalMetrics;
}

/** A log that exists: who wrote it, from where it is replayed, and how to go on. */
export interface ExistingLog {
  readonly identity: WalIdentity;
  /** The snapshot before which nothing is replayed. */
  readonly start: WalStart;
  /** The snapshots that the log vouches for, the oldest first. */
  readonly snapshots: readonly WalStart[];
  /** Those behind `start`, committed or not. */
  readonly entries: readonly Entry[];
  /** Index of the last entry. */
  readonly lastIndex: number;
  /**
   * Whether the first write of its member, which holds the first members of the cluster, ever came
   * to its end.
   */
  readonly isBegun: boolean;
  /**
   * What Raft reads back.
   * @param confState the membership as the backend has it
   */
  readonly storage: (confState: ConfState) => MemoryStorage;
  /** The writer that goes on where the log ends. To be called once. */
  readonly resume: () => Promise<WalWriter>;
}

export function logExists({ fs, directory }: LogOptions): Promise<boolean> {
  return haveWal(fs, directory);
}

/** Makes the log of a new member. */
export function createLog(options: LogOptions, identity: WalIdentity): Promise<WalWriter> {
  const { fs, directory } = options;
  return WalWriter.create(fs, directory, encodeWalIdentity(identity), writerOptions(options));
}

/**
 * Reads the log of a member that ran before, repairing an end that was torn by a crash.
 * @throws WalError naming file, offset and reason
 */
export async function readLog(options: LogOptions): Promise<ExistingLog> {
  const { fs, directory, logger } = options;
  const snapshots = await validSnapshots(fs, directory, { logger });
  const start = snapshots.at(-1) ?? WAL_BEGINNING;
  const contents = await readWalWithRepair(fs, directory, start, { logger });
  return {
    identity: identityOf(directory, contents.metadata),
    start,
    snapshots,
    entries: contents.entries as readonly Entry[],
    lastIndex: contents.tail.lastIndex,
    // The first write ends with the first state.
    isBegun: start.index > 0 || contents.hardState !== undefined,
    storage(confState) {
      const storage = new MemoryStorage();
      const { index, term } = start;
      storage.applySnapshot({ index, term, confState, data: EMPTY_BYTES });
      storage.append(contents.entries as readonly Entry[]);
      if (contents.hardState !== undefined) storage.setHardState(contents.hardState);
      return storage;
    },
    resume: () => WalWriter.resume(fs, directory, contents.tail, writerOptions(options)),
  };
}

/** Trap: without its metadata a log would be that of the member 0. @throws WalError */
function identityOf(directory: string, metadata: Buffer): WalIdentity {
  if (metadata.length > 0) return decodeWalIdentity(metadata);
  throw new WalError('undecodable', `wal: nothing in ${directory} tells whose log it is`, {
    file: directory,
    offset: 0,
  });
}

function writerOptions(options: LogOptions): WalWriterOptions {
  const { clock, logger, unsafeNoFsync, segmentBytes, metrics } = options;
  return {
    clock,
    logger,
    unsafeNoFsync,
    ...(segmentBytes === undefined ? {} : { segmentBytes }),
    ...(metrics === undefined ? {} : { metrics }),
  };
}
