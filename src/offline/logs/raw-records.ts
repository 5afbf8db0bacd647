import { join } from 'node:path';
import { crc32c } from '../../base/crc32c.js';
import type { Fs } from '../../platform/fs.js';
import { DecodeError } from '../../proto/decode-error.js';
import { decodeRecord, type RecordFields } from '../../proto/hot/record.js';
import { isTorn, LENGTH_FIELD_BYTES } from '../../storage/wal/frame.js';
import { RecordType } from '../../storage/wal/record-types.js';
import { SegmentDecoder } from '../../storage/wal/segment-decoder.js';
import { WalError } from '../../storage/wal/wal-error.js';

/** Kinds of records that etcd writes. */
export type RawKind = 'metadata' | 'entry' | 'state' | 'crc' | 'snapshot';

const KINDS: ReadonlyMap<number, RawKind> = new Map([
  [RecordType.Metadata, 'metadata'],
  [RecordType.Entry, 'entry'],
  [RecordType.State, 'state'],
  [RecordType.Crc, 'crc'],
  [RecordType.Snapshot, 'snapshot'],
]);

/** A record as it stands in a file, whether or not it is right. */
export interface RawRecord extends RecordFields {
  /** Undefined if its type is none that etcd writes. */
  readonly kind: RawKind | undefined;
  readonly file: string;
  /** Offset of its length field in the file, bytes. */
  readonly offset: number;
  /** What its CRC should be, if that is not what it is. */
  readonly computedCrc: number | undefined;
}

/** How reading ended: at the end, within a record, or at one that can't be read past. */
export type RawEnd =
  | { readonly kind: 'end' }
  | { readonly kind: 'torn' | 'damaged'; readonly fault: WalError };

/** Names in a directory: those of segments, and others. @throws ErrnoException */
export async function rawSegments(fs: Fs, directory: string): Promise<[string[], string[]]> {
  const names = await fs.readDirectory(directory);
  const isSegment = (name: string) => name.endsWith('.wal');
  return [names.filter(isSegment), names.filter((name) => !isSegment(name))];
}

/**
 * Reads all records of files one after another, also those whose CRC is wrong: the next crc record
 * starts a new chain (reference: cli 11.3).
 *
 * @throws ErrnoException, and what `take` throws
 */
export async function readRawRecords(
  fs: Fs,
  directory: string,
  names: readonly string[],
  take: (record: RawRecord) => void | Promise<void>,
): Promise<RawEnd> {
  const chain = { crc: 0 };
  try {
    for (const name of names) {
      await readFile(fs, directory, { name, isLast: name === names.at(-1) }, chain, take);
    }
  } catch (error) {
    if (!(error instanceof WalError)) throw error;
    return { kind: error.fault === 'unexpected-eof' ? 'torn' : 'damaged', fault: error };
  }
  return { kind: 'end' };
}

interface RawFile {
  readonly name: string;
  readonly isLast: boolean;
}

/** The running CRC; as each record notes its own, reading may go on behind a wrong one. */
interface Chain {
  crc: number;
}

async function readFile(
  fs: Fs,
  directory: string,
  file: RawFile,
  chain: Chain,
  take: (record: RawRecord) => void | Promise<void>,
): Promise<void> {
  const handle = await fs.open(join(directory, file.name), { read: true });
  try {
    const decoder = new SegmentDecoder(handle, file.name, await handle.size());
    for (let status = decoder.next(); status !== 'end'; status = decoder.next()) {
      if (status === 'more') {
        await decoder.fill();
        continue;
      }
      const record = checkRecord(decoder, file, chain);
      decoder.accept();
      const waiting = take(record);
      if (waiting !== undefined) await waiting;
    }
  } finally {
    await handle.close();
  }
}

function checkRecord(decoder: SegmentDecoder, file: RawFile, chain: Chain): RawRecord {
  const { offset } = decoder;
  const place = { file: file.name, offset };
  let record: RecordFields;
  try {
    record = decodeRecord(decoder.record());
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throwIfTorn(decoder, file);
    throw new WalError('undecodable', error.reason, place);
  }
  if (record.type === RecordType.Crc) {
    chain.crc = record.crc;
    return { ...record, ...place, kind: 'crc', computedCrc: undefined };
  }
  const kind = KINDS.get(record.type);
  chain.crc = crc32c(record.data, chain.crc);
  if (chain.crc === record.crc) return { ...record, ...place, kind, computedCrc: undefined };
  throwIfTorn(decoder, file);
  return { ...record, ...place, kind, computedCrc: chain.crc };
}

function throwIfTorn(decoder: SegmentDecoder, { name, isLast }: RawFile): void {
  const { offset } = decoder;
  if (isLast && isTorn(decoder.recordAndPadding(), offset + LENGTH_FIELD_BYTES)) {
    throw new WalError('unexpected-eof', 'unexpected EOF', { file: name, offset });
  }
}
