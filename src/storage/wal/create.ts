import { dirname, join } from 'node:path';
import type { Clock } from '../../platform/clock.js';
import type { Fs } from '../../platform/fs.js';
import type { WalTail } from './reader.js';
import { RecordEncoder } from './record-encoder.js';
import { encodeSnapshotRecord, RecordType } from './record-types.js';
import { segmentName } from './segment-name.js';
import { haveWal } from './segments.js';
import { WalError } from './wal-error.js';

const DIRECTORY_MODE = 0o700;

export interface NewWal {
  readonly metadata: Buffer;
  /** Length to which the first segment is extended, bytes. */
  readonly segmentBytes: number;
  readonly clock: Clock;
}

/**
 * Makes the directory of a new log with its first segment, whole or not at all: it is filled under
 * a passing name (reference: formats 1.1).
 *
 * @throws {WalError} file-exists
 */
export async function createWalDirectory(fs: Fs, directory: string, wal: NewWal): Promise<WalTail> {
  if (await haveWal(fs, directory)) {
    throw new WalError('file-exists', 'file already exists', { file: directory });
  }
  const passing = `${directory}.tmp`;
  await fs.removeTree(passing);
  await fs.makeDirectory(passing, { recursive: true, mode: DIRECTORY_MODE });
  const tail = await writeFirstSegment(fs, passing, wal);
  await fs.removeTree(directory);
  await fs.rename(passing, directory);
  try {
    await fs.syncDirectory(dirname(directory));
  } catch (error) {
    await fs.rename(directory, `${directory}.broken.${timestamp(wal.clock)}`);
    throw error;
  }
  return tail;
}

async function writeFirstSegment(fs: Fs, directory: string, wal: NewWal): Promise<WalTail> {
  const { metadata, segmentBytes } = wal;
  const segment = segmentName(0, 0);
  const encoder = new RecordEncoder();
  encoder.crcRecord();
  encoder.record(RecordType.Metadata, metadata);
  encoder.record(
    RecordType.Snapshot,
    encodeSnapshotRecord({ index: 0, term: 0, confState: undefined }),
  );
  const file = await fs.open(join(directory, segment.name), { write: true, exclusive: true });
  try {
    await file.truncate(segmentBytes);
    await file.write([encoder.bytes()], 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await fs.syncDirectory(directory);
  return {
    metadata,
    segments: [segment],
    fileBytes: segmentBytes,
    offset: encoder.length,
    crc: encoder.crc,
    lastIndex: 0,
  };
}

/** `YYYYMMDD.HHMMSS.ffffff`, UTC. */
function timestamp(clock: Clock): string {
  const [date = '', time = ''] = new Date(clock.wallMillis()).toISOString().split('T');
  const [seconds = '', millis = ''] = time.replace('Z', '').split('.');
  return `${date.replaceAll('-', '')}.${seconds.replaceAll(':', '')}.${millis.padEnd(6, '0')}`;
}
