import { join } from 'node:path';
import type { Fs } from '../../platform/fs.js';
import type { RaftSnapshot } from '../../storage/snap/snapshot-file.js';
import { WalError } from '../../storage/wal/wal-error.js';
import {
  type KeptSegments,
  newestSnapshot,
  readSettled,
  readSnapshotFile,
  snapDirectoryOf,
} from './log-directory.js';
import { type LogOutline, readOutline } from './log-outline.js';

/** Where a log is, and where to begin in it. */
export interface LogChoice {
  readonly walDirectory: string;
  readonly dataDirectory: string;
  /** The first entry wanted; undefined: the one behind a snapshot. */
  readonly startIndex: number | undefined;
  /** Name of the `.snap` file to begin with; empty: the newest that can be read. */
  readonly snapshotName: string;
  /** Take what comes before missing entries, rather than fail. */
  readonly stopAtGap: boolean;
}

/** The snapshot that a dump begins with. */
export type LogSnapshot = Pick<RaftSnapshot, 'index' | 'term' | 'confState'>;

export interface OpenedLog {
  /** Undefined if there is none, or if the first entry was chosen. */
  readonly snapshot: LogSnapshot | undefined;
  readonly outline: LogOutline;
}

/** The snapshot that a log is to begin with can't be read. */
export class SnapshotLoadError extends Error {
  override readonly name = 'SnapshotLoadError';
  /** Where it was looked for. */
  readonly path: string;

  constructor(path: string, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.path = path;
  }
}

/**
 * Finds what a dump begins with and reads the log from there, taking no lock and changing nothing:
 * it may belong to a running member.
 *
 * @throws WalError, SnapshotLoadError, ErrnoException
 */
export function openLog(fs: Fs, files: KeptSegments, choice: LogChoice): Promise<OpenedLog> {
  const { walDirectory, startIndex, stopAtGap } = choice;
  return readSettled(async () => {
    if (startIndex !== undefined) {
      // The log is opened behind the snapshot that comes before the first entry.
      const start = { index: Math.max(0, startIndex - 1), term: undefined };
      const outline = await readOutline(fs, files, walDirectory, start, { stopAtGap });
      return { snapshot: undefined, outline };
    }
    const snapshot = await loadSnapshot(fs, choice);
    const start = { index: snapshot?.index ?? 0, term: snapshot?.term ?? 0 };
    const outline = await readOutline(fs, files, walDirectory, start, { stopAtGap });
    return { snapshot, outline };
  });
}

async function loadSnapshot(
  fs: Fs,
  { dataDirectory, snapshotName }: LogChoice,
): Promise<RaftSnapshot | undefined> {
  const directory = snapDirectoryOf(dataDirectory);
  const path = snapshotName === '' ? directory : join(directory, snapshotName);
  try {
    if (snapshotName === '') return await newestSnapshot(fs, directory);
    return await readSnapshotFile(fs, path);
  } catch (error) {
    throw new SnapshotLoadError(path, error);
  }
}

/** What is wrong with a log, for those who tell it. */
export interface LogFault {
  /** `opening`: its files don't make a log. */
  readonly doing: 'opening' | 'reading';
  /** etcd's text for the fault, with the place if there is one. */
  readonly text: string;
  readonly isPlaced: boolean;
}

/** Undefined if `error` is no fault of a log. */
export function logFault(error: unknown): LogFault | undefined {
  if (!(error instanceof WalError)) return undefined;
  const { fault, message, file, offset } = error;
  const doing = fault === 'file-not-found' || fault === 'sequence-gap' ? 'opening' : 'reading';
  if (offset === undefined) return { doing, text: message, isPlaced: false };
  const place = message.includes('at position') ? '' : `: in file '${file}' at position: ${offset}`;
  return { doing, text: message + place, isPlaced: true };
}
