import {
  bytesFieldSize,
  bytesFieldsSize,
  optionalNumberFieldSize,
  writeBytesField,
  writeBytesFields,
  writeOptionalNumberField,
} from '../wire/fields.js';

/** Encodes a DeleteRangeResponse around an encoded header and encoded previous KeyValues. */
export function encodeDeleteRangeResponse(
  header: Uint8Array | undefined,
  deleted: number,
  previous: readonly Uint8Array[],
): Buffer {
  const size =
    (header === undefined ? 0 : bytesFieldSize(header.length)) +
    optionalNumberFieldSize(deleted) +
    bytesFieldsSize(previous);
  const buffer = Buffer.allocUnsafe(size);
  let offset = header === undefined ? 0 : writeBytesField(buffer, 0, 1, header);
  offset = writeOptionalNumberField(buffer, offset, 2, deleted);
  writeBytesFields(buffer, offset, 3, previous);
  return buffer;
}
