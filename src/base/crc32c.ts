/** The Castagnoli polynomial, reflected. */
const POLYNOMIAL = 0x82f63b78;
const TABLE_SIZE = 256;
const TABLE_COUNT = 16;
/** From so many bytes on it pays to make a view of words. */
const WORDS_FROM_BYTES = 1024;
const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Table 0 advances by one byte; table k advances by a byte that has k zero bytes after it. */
function buildTables(): Int32Array[] {
  const tables = Array.from({ length: TABLE_COUNT }, () => new Int32Array(TABLE_SIZE));
  const first = tables[0] ?? new Int32Array(TABLE_SIZE);
  for (let byte = 0; byte < TABLE_SIZE; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) {
      value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    }
    first[byte] = value;
  }
  for (let k = 1; k < TABLE_COUNT; k++) {
    const previous = tables[k - 1] ?? first;
    const table = tables[k] ?? first;
    for (let byte = 0; byte < TABLE_SIZE; byte++) {
      const value = previous[byte] ?? 0;
      table[byte] = (value >>> 8) ^ (first[value & 0xff] ?? 0);
    }
  }
  return tables;
}

type FourTables = [Int32Array, Int32Array, Int32Array, Int32Array];
const TABLES = buildTables() as [...FourTables, ...FourTables, ...FourTables, ...FourTables];
const [T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14, T15] = TABLES;

/**
 * CRC-32 Castagnoli of `bytes`, as an unsigned 32-bit integer. `seed` is the finished CRC of what
 * came before (0 for nothing), so that `crc32c(b, crc32c(a))` is the CRC of `a` followed by `b`.
 * Eight bytes a step, by eight tables, or sixteen of what is long (reference: formats 1.5).
 */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  return crc32cRange(bytes, 0, bytes.length, seed);
}

/** {@link crc32c} of `bytes[start, end)`, without making a view for it. */
export function crc32cRange(bytes: Uint8Array, start: number, end: number, seed = 0): number {
  let crc = ~seed;
  let at = start;
  if (end - start >= WORDS_FROM_BYTES && IS_LITTLE_ENDIAN) {
    while (((bytes.byteOffset + at) & 3) !== 0) {
      crc = (crc >>> 8) ^ (T0[(crc ^ (bytes[at++] as number)) & 0xff] as number);
    }
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, ((end - at) >>> 4) * 4);
    crc = ofWords(words, crc);
    at += words.byteLength;
  }
  for (const last = end - 8; at <= last; at += 8) {
    crc ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    crc =
      (T7[crc & 0xff] as number) ^
      (T6[(crc >>> 8) & 0xff] as number) ^
      (T5[(crc >>> 16) & 0xff] as number) ^
      (T4[crc >>> 24] as number) ^
      (T3[bytes[at + 4] as number] as number) ^
      (T2[bytes[at + 5] as number] as number) ^
      (T1[bytes[at + 6] as number] as number) ^
      (T0[bytes[at + 7] as number] as number);
  }
  for (; at < end; at++) {
    crc = (crc >>> 8) ^ (T0[(crc ^ (bytes[at] as number)) & 0xff] as number);
  }
  return ~crc >>> 0;
}

/** Takes the state of the register behind groups of four words. */
function ofWords(words: Int32Array, register: number): number {
  let crc = register;
  for (let at = 0; at < words.length; at += 4) {
    const a = (words[at] as number) ^ crc;
    const b = words[at + 1] as number;
    const c = words[at + 2] as number;
    const d = words[at + 3] as number;
    crc =
      (T15[a & 0xff] as number) ^
      (T14[(a >>> 8) & 0xff] as number) ^
      (T13[(a >>> 16) & 0xff] as number) ^
      (T12[a >>> 24] as number) ^
      (T11[b & 0xff] as number) ^
      (T10[(b >>> 8) & 0xff] as number) ^
      (T9[(b >>> 16) & 0xff] as number) ^
      (T8[b >>> 24] as number) ^
      (T7[c & 0xff] as number) ^
      (T6[(c >>> 8) & 0xff] as number) ^
      (T5[(c >>> 16) & 0xff] as number) ^
      (T4[c >>> 24] as number) ^
      (T3[d & 0xff] as number) ^
      (T2[(d >>> 8) & 0xff] as number) ^
      (T1[(d >>> 16) & 0xff] as number) ^
      (T0[d >>> 24] as number);
  }
  return crc;
}
