import { silentLogger } from '../../../src/base/logger.js';
import type { Fs } from '../../../src/platform/fs.js';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import type { EntryFields } from '../../../src/proto/hot/entry.js';
import { readWal, WAL_BEGINNING, type WalContents } from '../../../src/storage/wal/reader.js';
import { encodeWalIdentity, type HardState } from '../../../src/storage/wal/record-types.js';
import { readWalWithRepair } from '../../../src/storage/wal/repair.js';
import { WalWriter, type WalWriterOptions } from '../../../src/storage/wal/writer.js';

export const WAL = '/member/wal';
export const METADATA = encodeWalIdentity({ memberId: 0xc547e751d0f454a7n, clusterId: 7n });
export const VOTERS = {
  voters: [0xc547e751d0f454a7n],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

export function entry(
  index: number,
  data: string | Buffer = `entry ${index}`,
  term = 1,
): EntryFields {
  return { type: 0, term, index, data: Buffer.from(data) };
}

export function entries(from: number, to: number, term = 1): EntryFields[] {
  return Array.from({ length: to - from + 1 }, (_, at) => entry(from + at, undefined, term));
}

export function state(term: number, commit: number, vote = 0xc547e751d0f454a7n): HardState {
  return { term, vote, commit };
}

export async function createWriter(
  fs: Fs,
  options: Partial<WalWriterOptions> = {},
): Promise<WalWriter> {
  await fs.makeDirectory('/member', { recursive: true });
  await fs.syncDirectory('/');
  return WalWriter.create(fs, WAL, METADATA, {
    clock: new ManualClock(),
    logger: silentLogger,
    segmentBytes: 1 << 16,
    ...options,
  });
}

/** What a member does at boot: read with repair, then write on. */
export async function reopen(
  fs: Fs,
  options: Partial<WalWriterOptions> = {},
): Promise<{ contents: WalContents; writer: WalWriter }> {
  const contents = await readWalWithRepair(fs, WAL, WAL_BEGINNING);
  const writer = await WalWriter.resume(fs, WAL, contents.tail, {
    clock: new ManualClock(),
    segmentBytes: 1 << 16,
    ...options,
  });
  return { contents, writer };
}

/** The entries as a fresh reader sees them, as text. */
export async function readEntries(fs: Fs): Promise<string[]> {
  return texts((await readWal(fs, WAL)).entries);
}

export function texts(list: readonly EntryFields[]): string[] {
  return list.map(({ term, index, data }) => `${term}/${index} ${data.toString('latin1')}`);
}

export async function fileBytes(fs: Fs, path: string): Promise<Buffer> {
  const file = await fs.open(path, { read: true });
  try {
    return await file.read(0, await file.size());
  } finally {
    await file.close();
  }
}

export async function putFile(fs: Fs, path: string, bytes: Uint8Array): Promise<void> {
  const file = await fs.open(path, { write: true, create: true, truncate: true });
  await file.write([bytes], 0);
  await file.sync();
  await file.close();
}
