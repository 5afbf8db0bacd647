import { decodeEntryContent } from '../../../src/offline/logs/decode-entry.js';
import { KeptSegments } from '../../../src/offline/logs/log-directory.js';
import { readEntries } from '../../../src/offline/logs/log-outline.js';
import { openLog } from '../../../src/offline/logs/open-log.js';
import { type LogVerdict, verifyLog } from '../../../src/offline/logs/verify-log.js';
import { readLogFacts } from '../../../src/offline/verify-member.js';
import type { Fs } from '../../../src/platform/fs.js';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { Snapshotter } from '../../../src/storage/snap/snapshotter.js';
import {
  readWal,
  validSnapshots,
  verifyWal,
  WAL_BEGINNING,
  type WalContents,
} from '../../../src/storage/wal/reader.js';
import { readWalWithRepair } from '../../../src/storage/wal/repair.js';
import { DatabaseDamageFound, Digest } from './answers.js';

export const WAL_DIRECTORY = '/member/wal';
export const SNAP_DIRECTORY = '/member/snap';

/** What can be done with the log of a member, or with its `.snap` files. */
export type LogOperation = (fs: Fs) => Promise<unknown>;

/** Those that change nothing. */
export const READING_OPERATIONS: Readonly<Record<string, LogOperation>> = {
  'read log': async (fs) => textOf(await readWal(fs, WAL_DIRECTORY)),
  'check log': async (fs) => (await verifyWal(fs, WAL_DIRECTORY)).hardState,
  'dump-logs': dump,
  'wal verify': inspect,
  'newest snapshot': async (fs) => (await validSnapshots(fs, WAL_DIRECTORY)).at(-1) ?? null,
  verify: async (fs) => {
    const { hardState, snapshotIndex, lastIndex } = await readLogFacts(fs, WAL_DIRECTORY);
    return { hardState, snapshotIndex, lastIndex };
  },
};

/** What `dump-logs` prints. */
async function dump(fs: Fs): Promise<unknown> {
  return dumpFrom(fs, '');
}

/** What `dump-logs --start-snap` prints; an empty name: the newest that can be read. */
export async function dumpFrom(fs: Fs, snapshotName: string): Promise<unknown> {
  const files = new KeptSegments(fs);
  try {
    const { snapshot, outline } = await openLog(fs, files, {
      walDirectory: WAL_DIRECTORY,
      dataDirectory: '/',
      startIndex: undefined,
      snapshotName,
      stopAtGap: false,
    });
    const digest = new Digest();
    let entries = 0;
    await readEntries(files, WAL_DIRECTORY, outline, (entry) => {
      const { kind } = decodeEntryContent(entry);
      digest.add(`${kind} ${entry.type} ${entry.term} ${entry.index}`, entry.data);
      entries++;
    });
    const { identity, hardState, lastIndex } = outline;
    return { snapshot, identity, hardState, lastIndex, entries, digest: String(digest) };
  } finally {
    await files.close();
  }
}

/** What `wal verify` prints of what is sound. */
async function inspect(fs: Fs): Promise<unknown> {
  return factsOf(await verifyLog(fs, '/'));
}

/** @throws DatabaseDamageFound if the log is not sound */
export function factsOf({ damage, extent, hardState, problems }: LogVerdict): unknown {
  if (damage !== undefined) {
    const { file, offset, reason } = damage;
    throw new DatabaseDamageFound(file, { offset, reason, page: undefined, row: undefined });
  }
  // A log that is sound piece by piece and lacks a beginning: what is wrong has no place in a file.
  const [problem] = problems;
  if (problem !== undefined) {
    throw new DatabaseDamageFound('/', {
      offset: 0,
      reason: problem,
      page: undefined,
      row: undefined,
    });
  }
  return { extent, hardState };
}

/** What a start does: it may cut the last segment, of which it keeps a copy. */
export async function boot(fs: Fs): Promise<unknown> {
  const start = (await validSnapshots(fs, WAL_DIRECTORY)).at(-1) ?? WAL_BEGINNING;
  return [start, textOf(await readWalWithRepair(fs, WAL_DIRECTORY, start))];
}

/** The newest `.snap` file that can be read; one that can't be is set aside. */
export async function loadSnapshot(fs: Fs): Promise<unknown> {
  const snapshotter = new Snapshotter(fs, SNAP_DIRECTORY, { clock: new ManualClock() });
  const { index, term, confState, data } = await snapshotter.load();
  const digest = new Digest();
  digest.add(data);
  return { index, term, confState, data: String(digest) };
}

function textOf({ entries, hardState, metadata, snapshotFound, tail }: WalContents): unknown {
  const digest = new Digest();
  for (const { type, term, index, data } of entries) digest.add(`${type} ${term} ${index}`, data);
  return {
    entries: entries.length,
    digest: String(digest),
    hardState,
    metadata: metadata.toString('hex'),
    snapshotFound,
    lastIndex: tail.lastIndex,
  };
}
