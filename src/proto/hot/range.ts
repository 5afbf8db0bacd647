import {
  bytesFieldSize,
  bytesFieldsSize,
  optionalFlagSize,
  optionalNumberFieldSize,
  writeBytesField,
  writeBytesFields,
  writeOptionalFlag,
  writeOptionalNumberField,
} from '../wire/fields.js';

/** Encodes a RangeResponse around an encoded header (undefined: none) and encoded KeyValues. */
export function encodeRangeResponse(
  header: Uint8Array | undefined,
  keyValues: readonly Uint8Array[],
  more: boolean,
  count: number,
): Buffer {
  const size =
    (header === undefined ? 0 : bytesFieldSize(header.length)) +
    bytesFieldsSize(keyValues) +
    optionalFlagSize(more) +
    optionalNumberFieldSize(count);
  const buffer = Buffer.allocUnsafe(size);
  let offset = header === undefined ? 0 : writeBytesField(buffer, 0, 1, header);
  offset = writeBytesFields(buffer, offset, 2, keyValues);
  offset = writeOptionalFlag(buffer, offset, 3, more);
  writeOptionalNumberField(buffer, offset, 4, count);
  return buffer;
}

/** Wraps an encoded RangeResponse into a RangeStreamResponse. */
export function encodeRangeStreamResponse(rangeResponse: Uint8Array): Buffer {
  const buffer = Buffer.allocUnsafe(bytesFieldSize(rangeResponse.length));
  writeBytesField(buffer, 0, 1, rangeResponse);
  return buffer;
}
