import { crc32c } from '../../base/crc32c.js';
import type { FileHandle } from '../../platform/fs.js';
import { DecodeError } from '../../proto/decode-error.js';
import { decodeEntry } from '../../proto/hot/entry.js';
import { decodeRecord, type RecordFields } from '../../proto/hot/record.js';
import {
  LENGTH_FIELD_BYTES,
  padBytesAt,
  paddingOf,
  recordBytesAt,
} from '../../storage/wal/frame.js';
import { RecordType } from '../../storage/wal/record-types.js';
import { SegmentDecoder } from '../../storage/wal/segment-decoder.js';
import { WalError } from '../../storage/wal/wal-error.js';

const CHUNK_BYTES = 1024 * 1024;
/** Frames begin at multiples of this. */
const FRAME_ALIGNMENT = 8;
/** Records that follow one another by their CRCs before they count as found. */
const MIN_CHAIN = 2;

/** Records that can be read again behind a damage. */
export interface RecordsBehind {
  /** Where the first of them begins in the file, bytes. */
  readonly offset: number;
  readonly records: number;
  /** Indexes of the first and the last entry among them; 0 if there is none. */
  readonly firstIndex: number;
  readonly lastIndex: number;
}

/**
 * Looks for records behind a place that can't be read: each notes the running CRC, so that of two in
 * a row the first vouches for the second.
 *
 * @param from the last place known to be bad, bytes
 * @returns undefined if there are none
 */
export async function scanBehind(
  file: FileHandle,
  name: string,
  from: number,
): Promise<RecordsBehind | undefined> {
  const size = await file.size();
  let found: RecordsBehind | undefined;
  let at = alignUp(from + 1);
  while (at < size) {
    const chunk = await file.read(at, Math.min(CHUNK_BYTES, size - at));
    if (chunk.length < LENGTH_FIELD_BYTES) break;
    const candidate = findFrame(chunk, size - at);
    if (candidate < 0) {
      at += chunk.length - (chunk.length % FRAME_ALIGNMENT);
      continue;
    }
    const chain = await readChain(file, name, at + candidate, size);
    if (chain.records < MIN_CHAIN) {
      at += candidate + FRAME_ALIGNMENT;
      continue;
    }
    found = found === undefined ? chain : joined(found, chain);
    at = chain.end;
  }
  if (found === undefined) return undefined;
  const { offset, records, firstIndex, lastIndex } = found;
  return { offset, records, firstIndex, lastIndex };
}

function alignUp(offset: number): number {
  return offset + (-offset & (FRAME_ALIGNMENT - 1));
}

/** Offset in `chunk` of what could be a frame; -1 if nothing could. */
function findFrame(chunk: Buffer, left: number): number {
  for (let at = 0; at + LENGTH_FIELD_BYTES <= chunk.length; at += FRAME_ALIGNMENT) {
    const recordBytes = recordBytesAt(chunk, at);
    if (recordBytes === 0 || recordBytes > left - at - LENGTH_FIELD_BYTES) continue;
    if (padBytesAt(chunk, at) === paddingOf(recordBytes)) return at;
  }
  return -1;
}

interface Chain extends RecordsBehind {
  readonly end: number;
}

async function readChain(
  file: FileHandle,
  name: string,
  offset: number,
  size: number,
): Promise<Chain> {
  const decoder = new SegmentDecoder(file, name, size, offset);
  let crc: number | undefined;
  let records = 0;
  let firstIndex = 0;
  let lastIndex = 0;
  for (;;) {
    const record = await nextRecord(decoder);
    if (record === undefined || (crc !== undefined && !follows(record, crc))) break;
    crc = record.crc;
    records += 1;
    const index = record.type === RecordType.Entry ? decodeEntry(record.data).index : 0;
    if (index > 0) lastIndex = index;
    if (firstIndex === 0) firstIndex = index;
    decoder.accept();
  }
  return { offset, records, firstIndex, lastIndex, end: decoder.offset };
}

/** Undefined if what stands there is none. */
async function nextRecord(decoder: SegmentDecoder): Promise<RecordFields | undefined> {
  try {
    let status = decoder.next();
    for (; status === 'more'; status = decoder.next()) await decoder.fill();
    if (status === 'end') return undefined;
    const record = decodeRecord(decoder.record());
    if (record.type === RecordType.Entry) decodeEntry(record.data);
    return record;
  } catch (error) {
    if (error instanceof WalError || error instanceof DecodeError) return undefined;
    throw error;
  }
}

function follows({ type, crc, data }: RecordFields, earlier: number): boolean {
  return type === RecordType.Crc ? crc === earlier : crc === crc32c(data, earlier);
}

function joined(left: RecordsBehind, right: RecordsBehind): RecordsBehind {
  return {
    offset: left.offset,
    records: left.records + right.records,
    firstIndex: left.firstIndex === 0 ? right.firstIndex : left.firstIndex,
    lastIndex: right.lastIndex === 0 ? left.lastIndex : right.lastIndex,
  };
}
