import { join } from 'node:path';
import { KeptSegments } from '../../../src/offline/logs/log-directory.js';
import {
  type DumpStart,
  type LogOutline,
  readEntries,
  readOutline,
} from '../../../src/offline/logs/log-outline.js';
import type { Fs } from '../../../src/platform/fs.js';
import { MemoryFs } from '../../../src/platform/memory-fs.js';
import { nodeFs } from '../../../src/platform/node-fs.js';
import type { EntryFields } from '../../../src/proto/hot/entry.js';
import { readRecords } from '../../../src/storage/wal/record-reader.js';
import { parseSegmentName } from '../../../src/storage/wal/segment-name.js';
import { fileBytes, putFile, texts, WAL } from '../../storage/wal/support.js';

export const SEGMENT = '0000000000000000-0000000000000000.wal';

/** What a dump of a log is made of. */
export interface Dumped {
  readonly outline: LogOutline;
  readonly entries: string[];
}

/** Reads a log as `dump-logs` does. */
export async function dump(
  fs: Fs,
  directory = WAL,
  start: DumpStart = { index: 0, term: undefined },
): Promise<Dumped> {
  const files = new KeptSegments(fs);
  try {
    const outline = await readOutline(fs, files, directory, start, { stopAtGap: false });
    const entries: EntryFields[] = [];
    await readEntries(files, directory, outline, (entry) => {
      entries.push({ ...entry, data: Buffer.from(entry.data) });
    });
    return { outline, entries: texts(entries) };
  } finally {
    await files.close();
  }
}

/** The one segment of a log without its unused tail, and where its records begin and end. */
export async function usedSegment(
  directory: string,
): Promise<{ bytes: Buffer; boundaries: readonly { offset: number; entries: number }[] }> {
  const segment = parseSegmentName(SEGMENT);
  if (segment === undefined) throw new Error('not a segment');
  const boundaries: { offset: number; entries: number }[] = [];
  let entries = 0;
  const end = await readRecords(nodeFs, directory, [segment], ({ type }, { offset }) => {
    boundaries.push({ offset, entries });
    if (type === 2) entries += 1;
  });
  boundaries.push({ offset: end.offset, entries });
  const bytes = await fileBytes(nodeFs, join(directory, SEGMENT));
  return { bytes: bytes.subarray(0, end.offset), boundaries };
}

/** A disk with a log of one segment. */
export async function diskWith(bytes: Uint8Array): Promise<MemoryFs> {
  const fs = new MemoryFs({ tracked: false });
  await fs.makeDirectory(WAL, { recursive: true });
  await putFile(fs, `${WAL}/${SEGMENT}`, bytes);
  return fs;
}
