import {
  bytesFieldSize,
  optionalFlagSize,
  writeBytesField,
  writeLengthPrefix,
  writeOptionalFlag,
} from '../wire/fields.js';

/** Field numbers of the members of ResponseOp. */
const RESPONSE_FIELDS = { range: 1, put: 2, deleteRange: 3, txn: 4 } as const;

/** The encoded response of one operation of a transaction. */
export interface EncodedResponse {
  readonly kind: keyof typeof RESPONSE_FIELDS;
  readonly bytes: Uint8Array;
}

/** Encodes a TxnResponse around an encoded header and encoded responses, in operation order. */
export function encodeTxnResponse(
  header: Uint8Array | undefined,
  succeeded: boolean,
  responses: readonly EncodedResponse[],
): Buffer {
  let size =
    (header === undefined ? 0 : bytesFieldSize(header.length)) + optionalFlagSize(succeeded);
  for (const response of responses) {
    size += bytesFieldSize(bytesFieldSize(response.bytes.length));
  }
  const buffer = Buffer.allocUnsafe(size);
  let offset = header === undefined ? 0 : writeBytesField(buffer, 0, 1, header);
  offset = writeOptionalFlag(buffer, offset, 2, succeeded);
  for (const { kind, bytes } of responses) {
    offset = writeLengthPrefix(buffer, offset, 3, bytesFieldSize(bytes.length));
    offset = writeBytesField(buffer, offset, RESPONSE_FIELDS[kind], bytes);
  }
  return buffer;
}
