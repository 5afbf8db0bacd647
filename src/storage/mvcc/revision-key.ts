/**
 * Keys of the `key` bucket: main (8 bytes, big endian), `_`, sub (8 bytes, big endian), and a
 * trailing `t` if the change is a deletion (reference: formats 4.2).
 */

/** Bytes of a put's key; a tombstone's is one longer. */
export const REVISION_KEY_BYTES = 17;
const SEPARATOR_OFFSET = 8;
const SUB_OFFSET = 9;
const SEPARATOR = 0x5f;
const TOMBSTONE_MARK = 0x74;
const WORD = 2 ** 32;

/** The bucket key of a change. */
export function encodeRevisionKey(main: number, sub: number, isTombstone = false): Buffer {
  const key = Buffer.allocUnsafe(isTombstone ? REVISION_KEY_BYTES + 1 : REVISION_KEY_BYTES);
  writeWords(key, 0, main);
  key[SEPARATOR_OFFSET] = SEPARATOR;
  writeWords(key, SUB_OFFSET, sub);
  if (isTombstone) {
    key[REVISION_KEY_BYTES] = TOMBSTONE_MARK;
  }
  return key;
}

/** The main revision alone, 8 bytes: a bound below every change of that revision. */
export function encodeMainRevision(main: number): Buffer {
  const key = Buffer.allocUnsafe(SEPARATOR_OFFSET);
  writeWords(key, 0, main);
  return key;
}

/** The main revision of a bucket key. */
export function mainRevisionOf(key: Buffer): number {
  return readWords(key, 0);
}

/** The sub revision of a bucket key. */
export function subRevisionOf(key: Buffer): number {
  return readWords(key, SUB_OFFSET);
}

/** Whether a bucket key is that of a deletion. */
export function isTombstoneKey(key: Buffer): boolean {
  return key.length > REVISION_KEY_BYTES && key[REVISION_KEY_BYTES] === TOMBSTONE_MARK;
}

function writeWords(target: Buffer, offset: number, value: number): void {
  target.writeUInt32BE(Math.floor(value / WORD), offset);
  target.writeUInt32BE(value % WORD, offset + 4);
}

function readWords(source: Buffer, offset: number): number {
  return source.readUInt32BE(offset) * WORD + source.readUInt32BE(offset + 4);
}
