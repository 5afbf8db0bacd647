/**
 * A frame is a length field of 8 bytes, a record and zero padding to a multiple of 8, so that no
 * length field straddles a sector (reference: formats 1.3).
 */

export const LENGTH_FIELD_BYTES = 8;
/** Unit in which a disk writes: what a torn write leaves untouched is whole sectors. */
const SECTOR_BYTES = 512;
const TWO_POW_32 = 0x1_0000_0000;
/** In the high word: set if the three bits at 24 to 26 hold a pad count. */
const PADDED_FLAG = 0x8000_0000;

/** Zero bytes that follow a record of `recordBytes`. */
export function paddingOf(recordBytes: number): number {
  return -recordBytes & 7;
}

/** Writes the length field of a record of `recordBytes` with its padding at `offset`. */
export function writeLengthField(buffer: Buffer, offset: number, recordBytes: number): void {
  const pad = paddingOf(recordBytes);
  const flags = pad === 0 ? 0 : (PADDED_FLAG | (pad << 24)) >>> 0;
  buffer.writeUInt32LE(recordBytes % TWO_POW_32, offset);
  buffer.writeUInt32LE(flags + Math.floor(recordBytes / TWO_POW_32), offset + 4);
}

/**
 * Record length, without padding, in a length field. 0 with padding 0 marks the end of used space.
 * Trap: the flags in the top byte make the whole field exceed 2^53, so it is read as two words.
 */
export function recordBytesAt(buffer: Buffer, offset: number): number {
  return (buffer.readUInt32LE(offset + 4) & 0xff_ffff) * TWO_POW_32 + buffer.readUInt32LE(offset);
}

/** Padding in a length field, 0 to 7. */
export function padBytesAt(buffer: Buffer, offset: number): number {
  const high = buffer.readUInt32LE(offset + 4);
  return high >= PADDED_FLAG ? (high >>> 24) & 7 : 0;
}

/** True if the length field is all zeros: used space ends here. */
export function isEndMark(buffer: Buffer, offset: number): boolean {
  return buffer.readUInt32LE(offset) === 0 && buffer.readUInt32LE(offset + 4) === 0;
}

/**
 * Whether a bad record with its padding, at `fileOffset`, was left half written by a power loss: one
 * of its sectors is all zeros (reference: formats 1.7).
 */
export function isTorn(recordAndPadding: Uint8Array, fileOffset: number): boolean {
  for (let at = 0; at < recordAndPadding.length; ) {
    const toBoundary = SECTOR_BYTES - ((fileOffset + at) % SECTOR_BYTES);
    const end = Math.min(at + toBoundary, recordAndPadding.length);
    if (isAllZero(recordAndPadding, at, end)) return true;
    at = end;
  }
  return false;
}

function isAllZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== 0) return false;
  return true;
}
