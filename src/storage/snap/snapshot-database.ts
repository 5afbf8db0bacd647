import { join } from 'node:path';
import type { Histogram } from '../../base/metrics.js';
import type { Clock } from '../../platform/clock.js';
import type { FileHandle, Fs } from '../../platform/fs.js';
import { hex16 } from '../wal/segment-name.js';
import { snapshotDatabaseName } from './snapshot-file.js';

export interface SnapshotDatabaseMetrics {
  /** Seconds of each sync. */
  readonly syncSeconds: Histogram;
  /** Seconds from the first byte until the file has its name. */
  readonly saveSeconds: Histogram;
}

export interface SaveSnapshotDatabaseOptions {
  readonly fs: Fs;
  readonly clock: Pick<Clock, 'monotonicMillis'>;
  readonly directory: string;
  readonly metrics?: SnapshotDatabaseMetrics;
}

/** Bytes that are collected before they are written. */
const WRITE_BYTES = 1024 * 1024;

/**
 * Stores the database that a leader sent with the snapshot at `index`, durable under its name when
 * this resolves (reference: raft-and-peers B4). One that is there already is kept. What a crash
 * leaves half-made begins with `tmp` and goes at the next start.
 */
export async function saveSnapshotDatabase(
  { fs, clock, directory, metrics }: SaveSnapshotDatabaseOptions,
  index: number,
  blocks: AsyncIterable<Buffer>,
): Promise<void> {
  const started = clock.monotonicMillis();
  const path = join(directory, snapshotDatabaseName(index));
  const partPath = await freeName(fs, directory, index);
  const file = await fs.open(partPath, { write: true, exclusive: true, mode: 0o600 });
  try {
    try {
      await writeAll(file, blocks);
      const syncStarted = clock.monotonicMillis();
      await file.sync();
      metrics?.syncSeconds.observe((clock.monotonicMillis() - syncStarted) / 1000);
    } finally {
      await file.close();
    }
    if ((await fs.stat(path)) !== undefined) await fs.remove(partPath);
    else await fs.rename(partPath, path);
  } catch (error) {
    if ((await fs.stat(partPath)) !== undefined) await fs.remove(partPath);
    throw error;
  }
  await fs.syncDirectory(directory);
  metrics?.saveSeconds.observe((clock.monotonicMillis() - started) / 1000);
}

/** A leader that was thought lost may still be sending when the next one begins to. */
async function freeName(fs: Fs, directory: string, index: number): Promise<string> {
  const names = new Set(await fs.readDirectory(directory));
  for (let attempt = 0; ; attempt++) {
    const name = `tmp${hex16(index)}.${attempt}`;
    if (!names.has(name)) return join(directory, name);
  }
}

async function writeAll(file: FileHandle, blocks: AsyncIterable<Buffer>): Promise<void> {
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let offset = 0;
  for await (const block of blocks) {
    waiting.push(block);
    waitingBytes += block.length;
    if (waitingBytes < WRITE_BYTES) continue;
    await file.write(waiting, offset);
    offset += waitingBytes;
    waiting = [];
    waitingBytes = 0;
  }
  if (waitingBytes > 0) await file.write(waiting, offset);
}
