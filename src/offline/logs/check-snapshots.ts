import { join } from 'node:path';
import type { Fs } from '../../platform/fs.js';
import { SnapError } from '../../storage/snap/snap-error.js';
import { snapshotFileName } from '../../storage/snap/snapshot-file.js';
import type { LogCheck } from './log-check.js';
import { readSnapshotFile, snapshotNames } from './log-directory.js';

/** A `.snap` file. */
export interface SnapshotFacts {
  readonly name: string;
  /** Whether the log has a record of it, and of its entries as committed. */
  readonly isRecorded: boolean;
  /** What is wrong with it. */
  readonly fault: string | undefined;
}

interface Checked extends SnapshotFacts {
  readonly index: number;
}

/**
 * Whether the `.snap` files of a member are whole, and whether there is one to begin its log with.
 * One without a record is what a crash leaves between the two, and no fault.
 *
 * @param isWhole whether all of the log was read
 * @throws ErrnoException
 */
export async function checkSnapshots(
  fs: Fs,
  directory: string,
  check: LogCheck,
  isWhole: boolean,
): Promise<{ snapshots: SnapshotFacts[]; problems: string[] }> {
  const { commit } = check.hardState;
  const recorded = new Map(
    check.snapshots
      .filter(({ index }) => index > 0 && index <= commit)
      .map(({ index, term }) => [snapshotFileName(term, index), index]),
  );
  const files: Checked[] = [];
  for (const name of await snapshotNames(fs, directory)) {
    const fault = await faultOf(fs, directory, name);
    files.push({ name, isRecorded: recorded.has(name), fault, index: recorded.get(name) ?? 0 });
  }
  const problems = files
    .filter(({ isRecorded, fault }) => isRecorded && fault !== undefined)
    .map(({ name, fault }) => `${name}: ${fault}`);
  const { firstIndex } = check.extent;
  const good = files.filter(({ isRecorded, fault }) => isRecorded && fault === undefined);
  if (isWhole && firstIndex > 1 && !good.some(({ index }) => index >= firstIndex - 1)) {
    const text = `the log begins with entry ${firstIndex}, but no .snap file holds what comes before`;
    problems.push(text);
  }
  const snapshots = files.map(({ name, isRecorded, fault }) => ({ name, isRecorded, fault }));
  return { snapshots, problems };
}

async function faultOf(fs: Fs, directory: string, name: string): Promise<string | undefined> {
  try {
    const { index, term } = await readSnapshotFile(fs, join(directory, name));
    if (snapshotFileName(term, index) === name) return undefined;
    return `it holds the snapshot of term ${term} and index ${index}`;
  } catch (error) {
    if (error instanceof SnapError) return error.message;
    throw error;
  }
}
