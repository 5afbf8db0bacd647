import { bytesFieldSize, writeBytesField } from '../wire/fields.js';

/** Encodes a PutResponse around an encoded header and, if asked for, the previous KeyValue. */
export function encodePutResponse(
  header: Uint8Array | undefined,
  previous: Uint8Array | undefined,
): Buffer {
  const size =
    (header === undefined ? 0 : bytesFieldSize(header.length)) +
    (previous === undefined ? 0 : bytesFieldSize(previous.length));
  const buffer = Buffer.allocUnsafe(size);
  const offset = header === undefined ? 0 : writeBytesField(buffer, 0, 1, header);
  if (previous !== undefined) {
    writeBytesField(buffer, offset, 2, previous);
  }
  return buffer;
}
