/** The Castagnoli polynomial, reflected. */
const POLYNOMIAL = 0x82f63b78;
const TABLE_SIZE = 256;

/** Table 0 advances by one byte; table k advances by a byte that has k zero bytes after it. */
function buildTables(): Int32Array[] {
  const tables = Array.from({ length: 8 }, () => new Int32Array(TABLE_SIZE));
  const first = tables[0] ?? new Int32Array(TABLE_SIZE);
  for (let byte = 0; byte < TABLE_SIZE; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) {
      value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    }
    first[byte] = value;
  }
  for (let k = 1; k < 8; k++) {
    const previous = tables[k - 1] ?? first;
    const table = tables[k] ?? first;
    for (let byte = 0; byte < TABLE_SIZE; byte++) {
      const value = previous[byte] ?? 0;
      table[byte] = (value >>> 8) ^ (first[value & 0xff] ?? 0);
    }
  }
  return tables;
}

const TABLES = buildTables() as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];
const [T0, T1, T2, T3, T4, T5, T6, T7] = TABLES;

/**
 * CRC-32 Castagnoli of `bytes`, as an unsigned 32-bit integer. `seed` is the finished CRC of what
 * came before (0 for nothing), so that `crc32c(b, crc32c(a))` is the CRC of `a` followed by `b`.
 * Eight bytes a step, by eight tables (reference: formats 1.5).
 */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  return crc32cRange(bytes, 0, bytes.length, seed);
}

/** {@link crc32c} of `bytes[start, end)`, without making a view for it. */
export function crc32cRange(bytes: Uint8Array, start: number, end: number, seed = 0): number {
  let crc = ~seed;
  let at = start;
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
