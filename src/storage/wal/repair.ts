import { join } from 'node:path';
import { silentLogger } from '../../base/logger.js';
import type { FileHandle, Fs } from '../../platform/fs.js';
import { readWal, type WalContents, type WalReadOptions, type WalStart } from './reader.js';
import { readRecords } from './record-reader.js';
import { listSegments } from './segments.js';
import { WalError } from './wal-error.js';

const COPY_CHUNK_BYTES = 1024 * 1024;

/**
 * Cuts the last segment, looked at alone, to its last good record if it ends within one, and keeps
 * the whole of it as `<name>.broken` (reference: formats 1.8). Returns whether anything was cut.
 *
 * @throws {WalError} if the segment has a fault that is not the mark of a torn write
 */
export async function repairWal(
  fs: Fs,
  directory: string,
  options: WalReadOptions = {},
): Promise<boolean> {
  const logger = options.logger ?? silentLogger;
  const segment = (await listSegments(fs, directory, logger)).at(-1);
  if (segment === undefined) throw new WalError('file-not-found', 'wal: file not found');
  const path = join(directory, segment.name);
  logger.info('repairing', { path });
  const end = await readRecords(fs, directory, [segment], () => {});
  if (end.torn === undefined) return false;
  const file = await fs.open(path, { read: true, write: true });
  try {
    await copyTo(fs, file, `${path}.broken`);
    await file.truncate(end.offset);
    await file.sync();
  } finally {
    await file.close();
  }
  await fs.syncDirectory(directory);
  logger.info('repaired', { path, error: 'unexpected EOF' });
  return true;
}

/**
 * Reads a log that is to be written on: as {@link readWal}, with one repair if it was torn
 * (reference: formats 1.8). Hand `tail` to WalWriter.resume.
 *
 * Trap: like etcd this does not refuse a log without a record of the start snapshot; look at
 * `snapshotFound`.
 *
 * @throws {WalError}
 */
export async function readWalWithRepair(
  fs: Fs,
  directory: string,
  start: WalStart,
  options: WalReadOptions = {},
): Promise<WalContents> {
  const contents = await readWal(fs, directory, start, options);
  if (contents.torn === undefined) return contents;
  // Trap: a segment gets its name with its metadata in it. One that ends before them was not torn by
  // a crash, and to cut it there would leave a log of nobody.
  if (contents.metadata.length === 0) throw contents.torn;
  await repairWal(fs, directory, options);
  const repaired = await readWal(fs, directory, start, options);
  if (repaired.torn !== undefined) throw repaired.torn;
  return repaired;
}

async function copyTo(fs: Fs, source: FileHandle, path: string): Promise<void> {
  const target = await fs.open(path, { write: true, create: true, truncate: true });
  try {
    for (let at = 0; ; ) {
      const chunk = await source.read(at, COPY_CHUNK_BYTES);
      if (chunk.length === 0) break;
      await target.write([chunk], at);
      at += chunk.length;
    }
    await target.sync();
  } finally {
    await target.close();
  }
}
