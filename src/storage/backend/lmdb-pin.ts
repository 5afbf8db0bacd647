import type { Fs } from '../../platform/fs.js';

/** LMDB's reader table lies beside its file. */
const LMDB_LOCK_SUFFIX = '-lock';

/** Keeps the pages of the newest commit from being written again. */
export interface LmdbPin {
  release(): Promise<void>;
}

/**
 * Holds a read transaction of an LMDB file that a server may be writing to, so that what is read
 * of it stays as it is. Nothing but the meta pages is looked at, so that damage elsewhere in the
 * file can't end the process. Undefined if LMDB's reader table is missing (then nobody has the file
 * open) or can't be used.
 */
export async function pinLmdbFile(fs: Fs, path: string): Promise<LmdbPin | undefined> {
  if ((await fs.stat(path + LMDB_LOCK_SUFFIX)) === undefined) return undefined;
  try {
    const { open } = await import('lmdb');
    const root = open(path, { noSubdir: true, readOnly: true });
    const transaction = root.useReadTransaction();
    return {
      async release() {
        transaction.done();
        await root.close();
      },
    };
  } catch {
    // Without it the reader still notices every page that was written again.
    return undefined;
  }
}
