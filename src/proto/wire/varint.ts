/**
 * Sizes and writes of protobuf varints. Writers do not check the room that is left: a typed array
 * drops writes past its end in silence, so size the buffer with the size functions first.
 */

const TWO_POW_32 = 0x1_0000_0000;
const MIN_INT64 = -(1n << 63n);
const MAX_UINT64 = (1n << 64n) - 1n;

const scratch = new DataView(new ArrayBuffer(8));

/** Bytes of the varint of a safe integer; a negative one takes 10. */
export function varintSize(value: number): number {
  if (value < 0) {
    return 10;
  }
  if (value < 0x80) {
    return 1;
  }
  if (value < 0x4000) {
    return 2;
  }
  if (value < 0x20_0000) {
    return 3;
  }
  if (value < 0x1000_0000) {
    return 4;
  }
  let size = 5;
  for (let rest = Math.floor(value / 0x8_0000_0000); rest > 0; rest = Math.floor(rest / 0x80)) {
    size += 1;
  }
  return size;
}

/**
 * Writes a safe integer at `offset` and returns the offset behind it. A negative one is written as
 * the 10 bytes of its 64-bit two's complement.
 *
 * @throws RangeError if `value` is not a safe integer
 */
export function writeVarint(buffer: Uint8Array, offset: number, value: number): number {
  if (value >= 0 && value < 0x80 && Number.isInteger(value)) {
    buffer[offset] = value;
    return offset + 1;
  }
  if (!Number.isSafeInteger(value)) {
    throw new RangeError(`not a safe integer: ${value}`);
  }
  const high = Math.floor(value / TWO_POW_32);
  return writeVarintWords(buffer, offset, value - high * TWO_POW_32, high);
}

/**
 * Bytes of the varint of a 64-bit integer, signed or unsigned.
 *
 * @throws RangeError if `value` needs more than 64 bits
 */
export function bigintVarintSize(value: bigint): number {
  splitWords(value);
  const high = scratch.getUint32(0);
  if (high === 0) {
    return varintSize(scratch.getUint32(4));
  }
  return high >= 0x8000_0000 ? 10 : varintSize(high * TWO_POW_32);
}

/**
 * Writes a 64-bit integer, signed or unsigned, at `offset` and returns the offset behind it.
 *
 * @throws RangeError if `value` needs more than 64 bits
 */
export function writeBigintVarint(buffer: Uint8Array, offset: number, value: bigint): number {
  splitWords(value);
  return writeVarintWords(buffer, offset, scratch.getUint32(4), scratch.getUint32(0));
}

/** Puts the 64 bits of a value into `scratch`, big-endian. */
function splitWords(value: bigint): void {
  if (value < MIN_INT64 || value > MAX_UINT64) {
    throw new RangeError(`more than 64 bits: ${value}`);
  }
  scratch.setBigUint64(0, value);
}

/** Writes the varint of a 64-bit integer given as two 32-bit words, signed or unsigned. */
function writeVarintWords(buffer: Uint8Array, start: number, low: number, high: number): number {
  let offset = start;
  let lo = low >>> 0;
  let hi = high >>> 0;
  while (hi !== 0 || lo > 0x7f) {
    buffer[offset++] = (lo & 0x7f) | 0x80;
    lo = ((lo >>> 7) | (hi << 25)) >>> 0;
    hi >>>= 7;
  }
  buffer[offset++] = lo;
  return offset;
}
